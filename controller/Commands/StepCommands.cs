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

/// <summary><c>decant drain</c>, <c>undrain</c> and <c>migrate</c>: single steps of a deployment, by hand.</summary>
internal static class StepCommands
{
    private static readonly Argument<string> Host = new("host") { Description = "A host of the manifest", CompletionSources = { Completions.Hosts } };

    private static readonly Argument<string> Version = new("version") { Description = "A staged release, by version" };

    public static Command CreateDrain(CommandSession session) => Create(
        session,
        "drain",
        "Take a host out of rotation at every balancer and wait for its requests in flight",
        "decant drain web2",
        (manifest, host) => manifest.Balancers.Select(
            balancer => new DrainStep(balancer, host, manifest.App, manifest.Strategy.DrainTimeout, Math.Min(1, manifest.Hosts.Count - 1))));

    public static Command CreateUndrain(CommandSession session) => Create(
        session,
        "undrain",
        "Put a host back into rotation at every balancer",
        "decant undrain web2",
        (manifest, host) => manifest.Balancers.Select(
            balancer => new UndrainStep(balancer, host, manifest.App, manifest.Strategy.UndrainTimeout)));

    public static Command CreateMigrate(CommandSession session)
    {
        var command = new OperatorCommand(
            "migrate", "Run the manifest's migration from a staged release, on the host that runs migrations", "decant migrate 1.4.2") { Version };
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(
            parsed, used => MigrateAsync(session, parsed, used.Manifest, cancellation), cancellation));
        return command;
    }

    private static OperatorCommand Create(
        CommandSession session, string name, string description, string example, Func<DeploymentManifest, ManifestHost, IEnumerable<Step>> steps)
    {
        var command = new OperatorCommand(name, description, example) { Host };
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(
            parsed,
            used =>
            {
                var host = CommandSession.Choose(used.Manifest, parsed.GetRequiredValue(Host)).Single();
                if (used.Manifest.Balancers.Count == 0)
                    throw new OperatorException(new OperatorError(StatusCode.InvalidArgument, "NO_BALANCERS", "the manifest names no balancers", "add the balancer to `balancers` in the manifest"));
                return RunAsync(session, parsed, used.Manifest.App, [.. steps(used.Manifest, host)], cancellation);
            },
            cancellation));
        return command;
    }

    private static async Task<ExitCode> MigrateAsync(
        CommandSession session, ParseResult parsed, DeploymentManifest manifest, CancellationToken cancellation)
    {
        if (manifest.Migrations is not { } migration)
            throw new OperatorException(new OperatorError(StatusCode.InvalidArgument, "NO_MIGRATIONS", "the manifest has no migrations.run", "add migrations.run, such as Shop.Release.migrate(), to the manifest"));
        var host = manifest.Hosts.Single(h => h.Name == migration.Host);
        var fleet = new GrpcFleet(session.Channels, null);
        var version = parsed.GetRequiredValue(Version);
        var staged = await fleet.ObserveAsync(host, manifest.App, cancellation) switch
        {
            HostObservation.Seen seen => seen.Staged.Where(r => r.Version.Value == version).ToList(),
            HostObservation.Unreachable unreachable => throw new OperatorException(unreachable.Error),
            var other => throw new InvalidOperationException($"observation {other} is not known"),
        };
        if (staged is not [var release])
        {
            throw new OperatorException(new OperatorError(
                StatusCode.NotFound,
                "RELEASE_NOT_FOUND",
                staged.Count == 0 ? $"{host.Name} has no staged release {version}" : $"{host.Name} has {staged.Count} releases of version {version}",
                "`decant releases` lists what is staged"));
        }

        return await RunAsync(session, parsed, manifest.App, [new MigrateStep(host, manifest.App, release, migration)], cancellation);
    }

    private static async Task<ExitCode> RunAsync(
        CommandSession session, ParseResult parsed, AppName app, IReadOnlyList<Step> steps, CancellationToken cancellation)
    {
        var fleet = new GrpcFleet(session.Channels, null);
        var deployment = DeploymentId.Parse($"by-hand-{Guid.NewGuid():N}");
        var events = new EventStream(deployment, session.Time, item => Show(session, parsed, item));
        var timings = new LeaseTimings();
        await using var lease = await LeaseKeeper.TakeAsync(
            fleet.Leases,
            LeaseHolding.Wanted(app, string.Join(", ", steps.Select(s => s.Describe())), deployment, steps[0].Describe(), timings),
            steps.Select(s => s.Agent),
            [],
            LeaseHolding.IsDead,
            timings,
            (agent, why) => events.Tell((at, id) => new LeaseAwaited(at, id, agent, why)),
            session.Time,
            cancellation);
        foreach (var step in steps)
        {
            var run = new StepRun(step, OperationId.Parse($"{deployment}/{step.Key}"), 1, IsRollback: false);
            var began = session.Time.GetTimestamp();
            if (!await lease.MayBeginAsync(step.Describe())) throw new OperatorException(lease.Loss!);
            events.Tell((at, id) => new StepStarted(at, id, run));
            var outcome = await fleet.RunAsync(
                step, run.Operation, deployment, progress => events.Tell((at, id) => new StepProgressed(at, id, run, progress)), cancellation);
            var end = EndOf(outcome);
            if (end.Succeeded || CommandSession.IsJson(parsed))
                events.Tell((at, id) => new StepEnded(at, id, run, end, session.Time.GetElapsedTime(began)));
            if (end.Error is { } error) throw new OperatorException(error);
        }

        return ExitCode.Success;
    }

    private static StepEnd EndOf(StepOutcome outcome) => outcome switch
    {
        StepOutcome.Succeeded succeeded => new StepEnd(StepState.Succeeded, succeeded.Detail, succeeded.Unchanged, null, []),
        StepOutcome.Failed failed => new StepEnd(StepState.Failed, "", Unchanged: false, failed.Error, failed.Tail),
        StepOutcome.Unknown unknown => new StepEnd(StepState.Unknown, "", Unchanged: false, unknown.Error, []),
        _ => throw new InvalidOperationException($"outcome {outcome} is not known"),
    };

    private static void Show(CommandSession session, ParseResult parsed, DeploymentEvent item)
    {
        if (CommandSession.IsJson(parsed)) session.Terminal.Json(DeploymentEventJson.Write(item));
        else foreach (var line in EventText.Of(item)) session.Terminal.Line(line.TrimStart());
    }
}
