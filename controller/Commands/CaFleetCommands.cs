using System.CommandLine;
using System.Globalization;
using Decant.Certificates;
using Decant.Controller.Execution;
using Decant.Controller.Security;
using Decant.Errors;
using Grpc.Core;
using Spectre.Console;

namespace Decant.Controller.Commands;

/// <summary><c>decant ca renew</c>, <c>revoke</c> and <c>list</c>: what the CA does after it has issued.</summary>
internal static class CaFleetCommands
{
    private static readonly Option<bool> All = new("--all") { Description = "Also what is not two thirds through its life" };

    private static readonly Argument<string> Who = new("NAME") { Description = "A name as `decant ca list` shows it (all its certificates), or one serial number" };

    public static OperatorCommand CreateRenew(CommandSession session)
    {
        var command = new OperatorCommand(
            "renew", "Renew what is due: your certificate and those of the manifest's agents, which are also told what was revoked", "decant ca renew") { All };
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(parsed, used => RenewAsync(session, parsed, used, cancellation), cancellation));
        return command;
    }

    public static OperatorCommand CreateRevoke(CommandSession session)
    {
        var command = new OperatorCommand("revoke", "Revoke certificates, and tell the agents of the manifest", "decant ca revoke ci") { Who };
        command.SetAction((parsed, cancellation) => session.RunAsync(() => RevokeAsync(session, parsed, cancellation), cancellation));
        return command;
    }

    public static OperatorCommand CreateList(CommandSession session)
    {
        var command = new OperatorCommand("list", "Show the certificates that this CA issued", "decant ca list");
        command.SetAction((parsed, cancellation) => session.RunAsync(() => Task.FromResult(List(session, parsed)), cancellation));
        return command;
    }

    private static async Task<ExitCode> RenewAsync(CommandSession session, ParseResult parsed, ManifestInUse used, CancellationToken cancellation)
    {
        using var authority = CertificateAuthority.Open(CaDirectory.Of(session.Identities.Directory));
        var always = parsed.GetValue(All);
        using (var keeping = CertificateKeeping.Here(session))
        {
            if (keeping?.RenewOwn(always) is { } until) Tell(session, parsed, "you", $"have a new certificate, valid until {Day(until)}");
        }

        return await SeeToAsync(session, parsed, authority, NamedAgent.Of(used.Manifest), always, cancellation);
    }

    private static async Task<ExitCode> RevokeAsync(CommandSession session, ParseResult parsed, CancellationToken cancellation)
    {
        var identity = session.Identities.Directory;
        using var authority = CertificateAuthority.Open(CaDirectory.Of(identity));
        var who = parsed.GetRequiredValue(Who);
        var found = authority.Issued().Where(c => !c.IsRevoked && (string.Equals(c.Serial, who.TrimStart('0'), StringComparison.OrdinalIgnoreCase) || c.Names.All.Contains(who))).ToList();
        if (found.Count == 0)
        {
            throw new OperatorException(new OperatorError(
                StatusCode.NotFound, "NO_SUCH_CERTIFICATE", $"this CA has issued nothing to \"{who}\" that is not revoked already", "`decant ca list` shows what it has issued"));
        }

        if (OwnCertificate.Read(identity) is { } own && found.Any(c => c.Serial == CertificateId.Of(own.Certificate).Serial))
        {
            throw new OperatorException(new OperatorError(
                StatusCode.FailedPrecondition, "OWN_CERTIFICATE", "that is the certificate that you use now: nobody would be left who can tell the agents", "make another one first: decant ca renew --all"));
        }

        authority.Revoke(found.Select(c => c.Certificate), session.Time.GetUtcNow());
        SecretFile.Write(identity.Revoked, authority.RevokedPem);
        foreach (var one in found) Tell(session, parsed, one.Names.CommonName, $"certificate {one.Serial} is revoked");
        if (await session.ManifestHereAsync(parsed, cancellation) is { } manifest)
            return await SeeToAsync(session, parsed, authority, NamedAgent.Of(manifest), always: false, cancellation);
        session.Terminal.Note("there is no manifest here: no agent knows it yet; `decant ca renew` where there is one tells its agents, and so does every other command");
        return ExitCode.Success;
    }

    private static async Task<ExitCode> SeeToAsync(
        CommandSession session, ParseResult parsed, CertificateAuthority authority, IEnumerable<NamedAgent> agents, bool always, CancellationToken cancellation)
    {
        var fleet = new FleetCertificates(authority, session.Channels, session.Time);
        var errors = await Task.WhenAll(agents.DistinctBy(a => a.Address).Select(async agent =>
        {
            try
            {
                Tell(session, parsed, agent.Name, await fleet.DoAsync(agent.Address, fleet.DutyTo(agent.Address, always), cancellation) ?? "nothing is due");
                return null;
            }
            catch (RpcException exception) when (!cancellation.IsCancellationRequested)
            {
                return AgentErrors(exception).With("host", agent.Name);
            }
        }));
        return session.Report(errors);
    }

    private static OperatorError AgentErrors(RpcException exception) => OperatorError.FromRpc(exception) with { WhatNext = "`decant ca renew` tries again" };

    private static ExitCode List(CommandSession session, ParseResult parsed)
    {
        using var authority = CertificateAuthority.Open(CaDirectory.Of(session.Identities.Directory));
        var now = session.Time.GetUtcNow();
        var table = new Table().Border(TableBorder.None).AddColumns("NAME", "ROLES", "VALID UNTIL", "STATE", "SERIAL");
        foreach (var one in authority.Issued().OrderBy(c => c.Names.CommonName, StringComparer.Ordinal).ThenBy(c => c.Certificate.NotBefore))
        {
            var roles = one.IsForServers ? "host" : string.Join(", ", one.Names.Uris.Select(Names.RoleName.OfUrn).OfType<Names.RoleName>());
            var state = one.IsRevoked ? "revoked" : one.Certificate.NotAfter < now ? "expired" : FleetCertificates.IsDue(one.Certificate.NotBefore, one.Certificate.NotAfter, now) ? "due" : "valid";
            if (CommandSession.IsJson(parsed))
            {
                session.Terminal.Json(writer =>
                {
                    writer.WriteString("name", one.Names.CommonName);
                    writer.WriteString("roles", roles);
                    writer.WriteString("valid_until", one.Certificate.NotAfter.ToUniversalTime());
                    writer.WriteString("state", state);
                    writer.WriteString("serial", one.Serial);
                });
                continue;
            }

            table.AddRow(Markup.Escape(one.Names.CommonName), Markup.Escape(roles), Day(one.Certificate.NotAfter), state, one.Serial);
        }

        if (!CommandSession.IsJson(parsed)) session.Terminal.Output.Write(table);
        return ExitCode.Success;
    }

    private static void Tell(CommandSession session, ParseResult parsed, string name, string what)
    {
        if (!CommandSession.IsJson(parsed))
        {
            session.Terminal.Line($"{name}: {what}");
            return;
        }

        session.Terminal.Json(writer =>
        {
            writer.WriteString("name", name);
            writer.WriteString("what", what);
        });
    }

    private static string Day(DateTimeOffset at) => at.ToUniversalTime().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
