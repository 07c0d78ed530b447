using System.CommandLine;
using Decant.Certificates;
using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Security;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Controller.Commands;

/// <summary><c>decant host</c>: how a host becomes one of the fleet.</summary>
internal static class HostCommands
{
    private static readonly Argument<string> Host = new("HOST") { Description = "Its name, and where its agent is: web1=10.0.0.1, or only a name that can be resolved" };

    private static readonly Option<string?> Also = new("--also") { Description = "More names and addresses that its certificate is for, by comma", HelpName = "NAME,NAME" };

    private static readonly Option<string> Valid = new("--valid") { Description = "How long the token can be used", HelpName = "TIME", DefaultValueFactory = _ => "15m" };

    public static Command Create(CommandSession session) => new("host", "A host of the fleet: enrol it") { CreateEnroll(session) };

    private static OperatorCommand CreateEnroll(CommandSession session)
    {
        var command = new OperatorCommand(
            "enroll",
            "Give a host its certificate: prints the line to run there, and waits until that was done",
            "decant host enroll web1=10.0.0.1") { Host, Also, Valid };
        command.SetAction((parsed, cancellation) => session.RunAsync(() => EnrollAsync(session, parsed, cancellation), cancellation));
        return command;
    }

    private static async Task<ExitCode> EnrollAsync(CommandSession session, ParseResult parsed, CancellationToken cancellation)
    {
        var (name, agent) = Read(parsed.GetRequiredValue(Host));
        var names = Names(name, agent, parsed.GetValue(Also));
        var life = DurationText.TryParse(parsed.GetRequiredValue(Valid), out var time) && time >= TimeSpan.FromSeconds(1) && time <= TimeSpan.FromDays(1)
            ? time
            : throw Wrong("BAD_TIME", $"--valid is \"{parsed.GetRequiredValue(Valid)}\", and must be from 1s to 24h, such as 15m");
        using var authority = CertificateAuthority.Open(CaDirectory.Of(session.Identities.Directory));
        var token = JoinToken.Create(name.Value, authority.Fingerprint, session.Time.GetUtcNow() + life);
        var json = CommandSession.IsJson(parsed);
        if (json) session.Terminal.Json(writer => WriteToken(writer, name, token));
        else session.Terminal.Line($"Run this on {name} within {parsed.GetRequiredValue(Valid)}; it can be used once:\n\n  sudo decantd join {token.Reveal()}\n");

        var enrolment = new HostEnrolment(authority, session.Channels.Timings, session.Time);
        var own = await enrolment.RunAsync(token, agent, names, Revoked(session.Identities.Directory), session.Terminal.Note, cancellation);
        if (json)
        {
            session.Terminal.Json(writer =>
            {
                writer.WriteString("event", "enrolled");
                writer.WriteString("host", name.Value);
                writer.WriteString("agent", agent.Value);
                writer.WriteString("certificate_names", string.Join(",", names));
            });
        }
        else
        {
            session.Terminal.Line($"{name} is enrolled{(own == name.Value ? "" : $" (its agent.yml calls it {own})")}: {string.Join(", ", names)}");
            session.Terminal.Line($"in decant.yml: {name}: {{ agent: \"{agent}\" }}");
        }

        return ExitCode.Success;
    }

    private static void WriteToken(System.Text.Json.Utf8JsonWriter writer, HostName name, JoinToken token)
    {
        writer.WriteString("event", "token");
        writer.WriteString("host", name.Value);
        writer.WriteString("token", token.Reveal());
        writer.WriteString("expires_at", token.ExpiresAt);
    }

    private static (HostName Name, AgentAddress Agent) Read(string text)
    {
        var split = text.IndexOf('=', StringComparison.Ordinal);
        if (!HostName.TryParse(split < 0 ? text : text[..split], out var name, out var reason)) throw Wrong("BAD_HOST", reason);
        if (!AgentAddress.TryParse(split < 0 ? text : text[(split + 1)..], out var agent, out reason)) throw Wrong("BAD_HOST", reason);
        return agent.CertifiedName is not null ? (name, agent) : throw Wrong("BAD_HOST", $"{agent} has no TLS, and so no certificate; write NAME=HOST:PORT");
    }

    /// <summary>The name comes first: it is the certificate's subject.</summary>
    private static List<string> Names(HostName name, AgentAddress agent, string? also)
    {
        var more = also?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];
        foreach (var one in more)
        {
            if (!System.Net.IPAddress.TryParse(one, out _) && !HostName.TryParse(one, out _, out var reason)) throw Wrong("BAD_HOST", reason);
        }

        return [.. new[] { name.Value, agent.CertifiedName!, agent.Host.Trim('[', ']') }.Concat(more).Distinct()];
    }

    private static string Revoked(IdentityDirectory identity) => File.Exists(identity.Revoked) ? File.ReadAllText(identity.Revoked) : "";

    private static OperatorException Wrong(string reason, string message) => new(new OperatorError(StatusCode.InvalidArgument, reason, message));
}
