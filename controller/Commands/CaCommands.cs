using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using Decant.Controller.Execution;
using Decant.Controller.Security;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Commands;

/// <summary><c>decant ca</c>: the CA whose certificates agents and operators have.</summary>
internal static class CaCommands
{
    private static readonly Option<string?> CaName = new("--name") { Description = "The CA's name, for people; otherwise \"Decant CA\" and four digits", HelpName = "TEXT" };

    private static readonly Argument<string> Operator = new("NAME") { Description = "Whose certificate: a person or a machine, as it stands in logs" };

    private static readonly Option<string> Roles = new("--role") { Description = "observer, deployer:APP or admin; several by comma", HelpName = "ROLE,ROLE", Required = true };

    private static readonly Option<string?> Out = new("--out") { Description = "Directory for the certificate and its key; otherwise NAME", HelpName = "DIRECTORY" };

    private static readonly Option<int> Days = new("--days") { Description = "How long it is valid", HelpName = "DAYS", DefaultValueFactory = _ => (int)CertificateAuthority.OperatorLife.TotalDays };

    public static Command Create(CommandSession session) => new("ca", "The CA of this fleet: make it, issue, renew and revoke certificates")
    {
        CreateInit(session),
        CreateIssue(session),
        CaFleetCommands.CreateList(session),
        CaFleetCommands.CreateRenew(session),
        CaFleetCommands.CreateRevoke(session),
    };

    private static OperatorCommand CreateInit(CommandSession session)
    {
        var command = new OperatorCommand("init", "Make a CA, and your own certificate as admin", "decant ca init") { CaName };
        command.SetAction((parsed, cancellation) => session.RunAsync(() => Task.FromResult(Init(session, parsed)), cancellation));
        return command;
    }

    private static OperatorCommand CreateIssue(CommandSession session)
    {
        var command = new OperatorCommand(
            "issue", "Make a certificate for another operator, or for CI", "decant ca issue ci --role deployer:shop --out ci-identity") { Operator, Roles, Out, Days };
        command.SetAction((parsed, cancellation) => session.RunAsync(() => Task.FromResult(Issue(session, parsed)), cancellation));
        return command;
    }

    private static ExitCode Init(CommandSession session, ParseResult parsed)
    {
        var identity = session.Identities.Directory;
        if (File.Exists(identity.Certificate))
        {
            throw new OperatorException(new OperatorError(
                StatusCode.AlreadyExists,
                "IDENTITY_EXISTS",
                $"you have a certificate already: {identity.Certificate}",
                "a CA of your own goes into another directory: --identity DIRECTORY"));
        }

        var now = session.Time.GetUtcNow();
        var name = parsed.GetValue(CaName) ?? $"Decant CA {Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(2))}";
        using var authority = CertificateAuthority.Create(CaDirectory.Of(identity), name, now);
        var user = Environment.UserName;
        var until = OwnCertificate.Make(authority, identity, user, [new RoleName.Admin()], now, CertificateAuthority.OperatorLife);
        if (CommandSession.IsJson(parsed))
        {
            session.Terminal.Json(writer =>
            {
                writer.WriteString("ca", name);
                writer.WriteString("sha256", Convert.ToHexStringLower(authority.Fingerprint));
                writer.WriteString("identity", identity.Path);
                writer.WriteString("valid_until", until.ToUniversalTime());
            });
            return ExitCode.Success;
        }

        session.Terminal.Line($"CA \"{name}\", SHA-256 {Convert.ToHexStringLower(authority.Fingerprint)}");
        session.Terminal.Line($"  its key: {CaDirectory.Of(identity).Key}. Whoever has that is admin on every host: keep it, and keep a copy in a safe place");
        session.Terminal.Line($"your certificate: {user}, admin, valid until {Day(until)}, in {identity.Path}");
        session.Terminal.Line("next: decant host enroll web1=10.0.0.1");
        return ExitCode.Success;
    }

    private static ExitCode Issue(CommandSession session, ParseResult parsed)
    {
        var name = ReadName(parsed.GetRequiredValue(Operator));
        var roles = ReadRoles(parsed.GetRequiredValue(Roles));
        var days = parsed.GetValue(Days);
        if (days is < 1 or > 3650) throw Wrong("BAD_DAYS", $"--days is {days}, and must be from 1 to 3650");
        var into = new IdentityDirectory(Path.GetFullPath(parsed.GetValue(Out) ?? name));
        if (File.Exists(into.Certificate) || File.Exists(into.Key)) throw Wrong("IDENTITY_EXISTS", $"there is a certificate in {into.Path} already; name another directory with --out");
        using var authority = CertificateAuthority.Open(CaDirectory.Of(session.Identities.Directory));
        var until = OwnCertificate.Make(authority, into, name, roles, session.Time.GetUtcNow(), TimeSpan.FromDays(days));
        if (CommandSession.IsJson(parsed))
        {
            session.Terminal.Json(writer =>
            {
                writer.WriteString("name", name);
                writer.WriteString("roles", string.Join(",", roles));
                writer.WriteString("identity", into.Path);
                writer.WriteString("valid_until", until.ToUniversalTime());
            });
            return ExitCode.Success;
        }

        session.Terminal.Line($"certificate of {name}: {string.Join(", ", roles)}, valid until {Day(until)}, in {into.Path}");
        session.Terminal.Line($"next: bring that directory to {name} by a safe way, as ~/.config/decant, or for `decant --identity`; then delete it here");
        return ExitCode.Success;
    }

    private static string ReadName(string text) => text.Length is > 0 and <= 64 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or '@')
        ? text
        : throw Wrong("BAD_NAME", $"\"{text}\" is not a name for a certificate: 1 to 64 letters, digits, '.', '-', '_' and '@'");

    private static List<RoleName> ReadRoles(string text) => [.. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
        .Select(role => RoleName.TryParse(role, out var value, out var reason) ? value : throw Wrong("BAD_ROLE", reason))];

    private static OperatorException Wrong(string reason, string message) => new(new OperatorError(StatusCode.InvalidArgument, reason, message));

    private static string Day(DateTimeOffset at) => at.ToUniversalTime().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
