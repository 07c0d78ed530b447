using System.CommandLine;
using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Commands;

/// <summary><c>decant plan</c>, <c>deploy</c>, <c>resume</c> and <c>rollback</c>: what changes a fleet.</summary>
internal static class DeployCommands
{
    private static readonly Argument<string> Archive = new("archive")
    {
        Description = "The release: the .tar.gz that `mix release` writes with steps: [:assemble, :tar]",
    };

    private static readonly Option<bool> Again = new("--again") { Description = "Also a release that failed a deployment before" };

    private static readonly Option<bool> Now = new("--now") { Description = "Also outside of the manifest's maintenance window" };

    private static readonly Option<string?> Hosts = new("--hosts") { Description = "Only on these hosts, by comma; the others are left as they are", HelpName = "HOST,HOST" };

    private static readonly Option<bool> OnlyFailed = new("--only-failed") { Description = "Only on hosts on which the last deployment failed" };

    private static readonly Argument<string> Deployment = new("deployment")
    {
        Description = "Id of the deployment, as `decant history` lists it",
        CompletionSources = { Completions.Deployments },
    };

    private static readonly Option<string?> From = new("--archive") { Description = "The deployment's archive, when a host lacks the release and the file is not where it was", HelpName = "FILE" };

    private static readonly Option<string?> To = new("--to")
    {
        Description = "Go to this version instead of each host's last good release",
        HelpName = "VERSION",
    };

    private static readonly Option<bool> Down = new("--down-migration") { Description = "When every host is back, run the manifest's migrations.down, once, from the release gone back from" };

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Show the plan, and touch nothing" };

    public static Command CreatePlan(CommandSession session)
    {
        var command = new OperatorCommand(
            "plan", "Show what a deployment would do, and touch nothing", "decant plan shop-1.4.2.tar.gz") { Archive, Hosts, OnlyFailed };
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(
            parsed,
            async used =>
            {
                var request = await RequestAsync(parsed, used, cancellation);
                Show(session, parsed, await session.Deployments(_ => { }).PlanAsync(request, cancellation));
                return ExitCode.Success;
            },
            cancellation));
        return command;
    }

    public static Command CreateDeploy(CommandSession session)
    {
        var command = new OperatorCommand(
            "deploy", "Roll a release across the hosts", "decant deploy shop-1.4.2.tar.gz") { Archive, Again, Hosts, OnlyFailed, Now };
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(
            parsed,
            async used =>
            {
                var request = await RequestAsync(parsed, used, cancellation);
                return await RunAsync(session, parsed, (service, stop) => service.DeployAsync(request, stop));
            },
            cancellation));
        return command;
    }

    public static Command CreateResume(CommandSession session)
    {
        var command = new OperatorCommand(
            "resume", "Go on with a deployment that was stopped, aborted or interrupted, on this machine or another", "decant resume 20261125-101502-k3f9") { Deployment, From };
        command.SetAction((parsed, cancellation) => session.RunAsync(
            async () =>
            {
                var id = ReadId(parsed.GetRequiredValue(Deployment));
                var here = await session.ManifestHereAsync(parsed, cancellation);
                var archive = parsed.GetValue(From) is { } path ? Path.GetFullPath(path) : null;
                return await RunAsync(session, parsed, (service, stop) => service.ResumeAsync(id, stop, here, archive));
            },
            cancellation));
        return command;
    }

    public static Command CreateRollback(CommandSession session)
    {
        var command = new OperatorCommand(
            "rollback",
            "Undo a deployment that did not end, or take every host back to its last good release (migrations are not undone unless asked for)",
            "decant rollback --to 1.4.1") { To, Down, DryRun };
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(
            parsed,
            async used =>
            {
                var version = parsed.GetValue(To) is { } text ? ReadVersion(text) : null;
                var request = new RollbackRequest(used.Source, used.Manifest, version, parsed.GetValue(Down));
                if (!parsed.GetValue(DryRun)) return await RunAsync(session, parsed, (service, stop) => service.RollbackAsync(request, stop));
                Show(session, parsed, await session.Deployments(_ => { }).PlanRollbackAsync(request, cancellation));
                return ExitCode.Success;
            },
            cancellation));
        return command;
    }

    /// <summary>Reads a deployment's id.</summary>
    public static DeploymentId ReadId(string text) => DeploymentId.TryParse(text, out var id, out var reason)
        ? id
        : throw new OperatorException(new OperatorError(StatusCode.InvalidArgument, "BAD_ID", reason, "`decant history` lists deployments"));

    private static ReleaseVersion ReadVersion(string text) => ReleaseVersion.TryParse(text, out var version, out var reason)
        ? version
        : throw new OperatorException(new OperatorError(StatusCode.InvalidArgument, "BAD_VERSION", reason, "`decant releases` lists what is staged"));

    private static async Task<DeployRequest> RequestAsync(ParseResult parsed, ManifestInUse used, CancellationToken cancellation)
    {
        var archive = await ArchiveFile.ReadAsync(Path.GetFullPath(parsed.GetRequiredValue(Archive)), cancellation);
        if (archive.Name != used.Manifest.App.Value)
        {
            throw new OperatorException(new OperatorError(
                StatusCode.InvalidArgument,
                "APP_MISMATCH",
                $"{archive.Path} is a release of {archive.Name} (bin/{archive.Name}); the manifest is for {used.Manifest.App}",
                "deploy with the manifest of that app, or correct `app` in this one"));
        }

        return new DeployRequest(
            used.Source,
            used.Manifest,
            archive.Release,
            archive,
            Has(parsed, Again),
            Has(parsed, Now),
            ReadHosts(parsed.GetValue(Hosts), used.Manifest),
            parsed.GetValue(OnlyFailed));
    }

    private static bool Has(ParseResult parsed, Option<bool> option) => parsed.CommandResult.Command.Options.Contains(option) && parsed.GetValue(option);

    private static IReadOnlyList<HostName>? ReadHosts(string? text, DeploymentManifest manifest)
        => text is null ? null : [.. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).SelectMany(name => CommandSession.Choose(manifest, name)).Select(h => h.Name)];

    private static void Show(CommandSession session, ParseResult parsed, Plan plan)
    {
        if (CommandSession.IsJson(parsed)) session.Terminal.Json(DeploymentEventJson.Write(plan));
        else foreach (var line in PlanText.Of(plan)) session.Terminal.Line(line);
    }

    /// <summary>Runs what deploys, rolls back or goes on, with its display and Ctrl-C.</summary>
    public static async Task<ExitCode> RunAsync(
        CommandSession session, ParseResult parsed, Func<DeploymentService, StopSignal, Task<DeploymentOutcome>> run)
    {
        using var stop = new StopSignal();
        using var signals = new StopOnSignals(stop);
        using var display = DeploymentDisplay.For(session.Terminal, CommandSession.IsJson(parsed), session.Time);
        var outcome = await run(session.Deployments(display.Show), stop);
        return outcome.ExitCode;
    }
}
