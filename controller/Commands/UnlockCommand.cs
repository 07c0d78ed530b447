using System.CommandLine;
using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Errors;
using Decant.Names;
using Decant.V1;
using Grpc.Core;

namespace Decant.Controller.Commands;

/// <summary><c>decant unlock</c>: takes the app's lease away from whoever holds it, openly.</summary>
internal static class UnlockCommand
{
    private static readonly Option<string?> Hosts = new("--hosts") { Description = "Only on these hosts, by comma; otherwise on all, and on the hosts of the balancers", HelpName = "HOST,HOST" };

    private static readonly Option<string> Reason = new("--reason") { Description = "Why; it stays on record with your name", HelpName = "TEXT", Required = true };

    private static readonly Option<bool> Yes = new("--yes", "-y") { Description = "Without asking" };

    public static Command Create(CommandSession session)
    {
        var command = new OperatorCommand(
            "unlock",
            "Take the app's lease away from a deployment that does not end, which can change nothing more then",
            "decant unlock --reason 'the laptop that deployed is closed' --yes") { Hosts, Reason, Yes };
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(parsed, used => RunAsync(session, parsed, used.Manifest, cancellation), cancellation));
        return command;
    }

    private static async Task<ExitCode> RunAsync(
        CommandSession session, ParseResult parsed, DeploymentManifest manifest, CancellationToken cancellation)
    {
        var reason = ReadReason(parsed.GetRequiredValue(Reason));
        var answers = await Task.WhenAll(AgentsOf(parsed, manifest).Select(a => AskAsync(session, a, manifest.App, cancellation)));
        var held = answers.Where(a => a.Lease is { Remaining: not null }).ToList();
        if (held.Count == 0)
        {
            if (!CommandSession.IsJson(parsed)) session.Terminal.Line($"nobody holds a lease of {manifest.App}");
            return session.Report(answers.Select(a => a.Error));
        }

        if (!Confirmed(session, parsed, held)) return ExitCode.Stopped;
        var taken = await Task.WhenAll(held.Select(h => UnlockAsync(session, parsed, h, manifest.App, reason, cancellation)));
        return session.Report([.. answers.Select(a => a.Error), .. taken]);
    }

    private static bool Confirmed(CommandSession session, ParseResult parsed, List<HostLease> held)
    {
        var terminal = session.Terminal;
        if (!CommandSession.IsJson(parsed))
        {
            foreach (var (agent, lease, _) in held) terminal.Line($"{agent.Name}: held by {LeaseText.Describe(session.Time.GetUtcNow(), lease!)}");
        }

        if (parsed.GetValue(Yes)) return true;
        if (CommandSession.IsJson(parsed) || !terminal.IsInteractive || System.Console.IsInputRedirected)
        {
            throw new OperatorException(new OperatorError(
                StatusCode.InvalidArgument, "NOT_CONFIRMED", "there is nobody to ask whether the lease is to be taken away", "look at `decant status`, then add --yes"));
        }

        terminal.Note("Its holder can change nothing more; what it began goes on. Take the lease away? [y/N]");
        if (System.Console.ReadLine()?.Trim().ToUpperInvariant() is "Y" or "YES") return true;
        terminal.Note("nothing was done");
        return false;
    }

    private static async Task<OperatorError?> UnlockAsync(
        CommandSession session, ParseResult parsed, HostLease held, AppName app, string reason, CancellationToken cancellation)
    {
        var me = LeaseHolding.ThisProcess();
        var (result, error) = await LeaseCalls.UnlockAsync(
            new Leases.LeasesClient(session.Channels.To(held.Agent.Address)),
            app,
            held.Lease!.FencingToken,
            $"{me.User} on {me.Machine}",
            reason,
            session.Channels.Deadline(session.Channels.Timings.Answer),
            cancellation);
        if (result is null) return error?.With("host", held.Agent.Name);
        if (CommandSession.IsJson(parsed))
        {
            session.Terminal.Json(writer =>
            {
                writer.WriteString("host", held.Agent.Name);
                writer.WriteBoolean("unlocked", !result.Unchanged);
                writer.WriteString("by", result.Unlock.By);
                writer.WriteString("reason", result.Unlock.Reason);
                writer.WriteString("former_holder", result.Unlock.FormerHolder);
                writer.WriteNumber("former_token", result.Unlock.FormerToken);
            });
        }
        else
        {
            session.Terminal.Line($"{held.Agent.Name}: {(result.Unchanged ? "it was given back meanwhile" : "unlocked")}");
        }

        return null;
    }

    private static async Task<HostLease> AskAsync(CommandSession session, NamedAgent agent, AppName app, CancellationToken cancellation)
    {
        var (answer, error) = await session.AskAsync(
            agent.Name,
            agent.Address,
            invoker => new Leases.LeasesClient(invoker).ListLeasesAsync(
                new ListLeasesRequest { App = app.Value }, cancellationToken: cancellation));
        return new HostLease(agent, answer?.Leases.FirstOrDefault(), error);
    }

    private static IEnumerable<NamedAgent> AgentsOf(ParseResult parsed, DeploymentManifest manifest)
    {
        if (parsed.GetValue(Hosts) is { } names)
        {
            return names.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                .SelectMany(name => CommandSession.Choose(manifest, name)).Select(h => new NamedAgent(h.Name.Value, h.Agent));
        }

        return NamedAgent.Of(manifest);
    }

    private static string ReadReason(string text) => text.Trim() is { Length: > 0 and <= 500 } reason && !reason.Any(char.IsControl)
        ? reason
        : throw new OperatorException(new OperatorError(StatusCode.InvalidArgument, "BAD_REASON", "--reason is one line of 1 to 500 characters", "say why the lease is taken away"));

    /// <summary>What an agent knows of the app's lease.</summary>
    private sealed record HostLease(NamedAgent Agent, Lease? Lease, OperatorError? Error);
}
