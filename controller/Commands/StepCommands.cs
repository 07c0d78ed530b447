using System.CommandLine;
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
    private static readonly Argument<string> Host = new("host") { Description = "A host of the manifest" };

    private static readonly Argument<string> Version = new("version") { Description = "A staged release, by version" };

    public static Command CreateDrain(CommandSession session) => Create(
        session,
        "drain",
        "Take a host out of rotation at every balancer and wait for its requests in flight",
        (manifest, host) => manifest.Balancers.Select(
            balancer => new DrainStep(balancer, host, manifest.App, manifest.Strategy.DrainTimeout, Math.Min(1, manifest.Hosts.Count - 1))));

    public static Command CreateUndrain(CommandSession session) => Create(
        session,
        "undrain",
        "Put a host back into rotation at every balancer",
        (manifest, host) => manifest.Balancers.Select(
            balancer => new UndrainStep(balancer, host, manifest.App, manifest.Strategy.UndrainTimeout)));

    public static Command CreateMigrate(CommandSession session)
    {
        var command = new Command("migrate", "Run the manifest's migration from a staged release, once") { Version };
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(
            parsed, used => MigrateAsync(session, parsed, used.Manifest, cancellation), cancellation));
        return command;
    }

    private static Command Create(
        CommandSession session, string name, string description, Func<DeploymentManifest, ManifestHost, IEnumerable<Step>> steps)
    {
        var command = new Command(name, description) { Host };
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(
            parsed,
            used =>
            {
                var host = CommandSession.Choose(used.Manifest, parsed.GetRequiredValue(Host)).Single();
                if (used.Manifest.Balancers.Count == 0)
                    throw new OperatorException(new OperatorError(StatusCode.InvalidArgument, "NO_BALANCERS", "the manifest names no balancers", ""));
                return RunAsync(session, [.. steps(used.Manifest, host)], cancellation);
            },
            cancellation));
        return command;
    }

    private static async Task<ExitCode> MigrateAsync(
        CommandSession session, ParseResult parsed, DeploymentManifest manifest, CancellationToken cancellation)
    {
        if (manifest.Migrations is not { } migration)
            throw new OperatorException(new OperatorError(StatusCode.InvalidArgument, "NO_MIGRATIONS", "the manifest has no migrations.run", ""));
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

        return await RunAsync(session, [new MigrateStep(host, manifest.App, release, migration)], cancellation);
    }

    private static async Task<ExitCode> RunAsync(CommandSession session, IReadOnlyList<Step> steps, CancellationToken cancellation)
    {
        var fleet = new GrpcFleet(session.Channels, null);
        var deployment = DeploymentId.Parse($"by-hand-{Guid.NewGuid():N}");
        foreach (var step in steps)
        {
            session.Terminal.Line(step.Describe());
            var outcome = await fleet.RunAsync(
                step, OperationId.Parse($"{deployment}/{step.Key}"), deployment, progress => Show(session, progress), cancellation);
            switch (outcome)
            {
                case StepOutcome.Succeeded succeeded:
                    session.Terminal.Line($"  {(succeeded.Detail.Length > 0 ? succeeded.Detail : "done")}");
                    break;
                case StepOutcome.Failed failed:
                    throw new OperatorException(failed.Error);
                case StepOutcome.Unknown unknown:
                    throw new OperatorException(unknown.Error);
            }
        }

        return ExitCode.Success;
    }

    private static void Show(CommandSession session, StepProgress progress)
    {
        switch (progress)
        {
            case StepProgress.Message message:
                session.Terminal.Line($"  {message.Text}");
                break;
            case StepProgress.Output output:
                session.Terminal.Line($"  | {output.Text}");
                break;
            case StepProgress.Draining draining:
                session.Terminal.Line($"  {draining.Sessions} sessions left");
                break;
        }
    }
}
