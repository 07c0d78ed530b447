using Decant.Agent.Elixir;
using Decant.Agent.Health;
using Decant.Agent.Instances;
using Decant.Agent.Operations;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <content>What a release is asked through its own script: preflight, migration, health, evaluation.</content>
internal sealed partial class InstancesService
{
    private const int MaxMigration = 4 * 1024;
    private const int MaxEvaluation = 64 * 1024;

    /// <inheritdoc/>
    public override Task Preflight(V1.PreflightRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var key = InstanceMapping.ReadKey(reader, request.App, request.Slot);
        var release = reader.Release("release", request.Release);
        var spec = InstanceMapping.ReadSpec(reader, request.Spec, key);
        var timeout = reader.Duration("timeout", request.Timeout, TimeSpan.FromSeconds(30), Shortest, Day);
        var operation = Operation(reader, request, request.Operation, OperationKind.Preflight, key, release, exclusive: null);
        reader.ThrowIfWrong();

        return calls.RunAsync(
            operation,
            async (report, cancellation) => await preflight.RunAsync(
                Target(key, spec, release, report),
                [.. instances.All().Where(s => s.Run is not null && (s.Key == key || (request.PortIsFreed && s.Key.App == key.App))).Select(s => s.Snapshot().Record.Spec.Port)],
                timeout,
                report,
                cancellation),
            responseStream,
            context);
    }

    /// <inheritdoc/>
    public override Task Migrate(V1.MigrateRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var key = InstanceMapping.ReadKey(reader, request.App, request.Slot);
        var release = reader.Release("release", request.Release);
        var spec = InstanceMapping.ReadSpec(reader, request.Spec, key);
        var deployment = reader.Required<DeploymentId>("operation.deployment_id", request.Operation?.DeploymentId, DeploymentId.TryParse);
        var timeout = reader.Duration("timeout", request.Timeout, TimeSpan.FromMinutes(10), Shortest, Day);
        InstanceMapping.CheckExpression(reader, "expression", request.Expression, MaxMigration);
        var operation = Operation(reader, request, request.Operation, OperationKind.Migrate, key, release, $"migrate/{request.App}");
        reader.ThrowIfWrong();

        return calls.RunAsync(
            operation,
            async (report, cancellation) => await migrations.RunAsync(
                Target(key, spec, release, report), deployment, request.Expression, timeout, report, cancellation),
            responseStream,
            context);
    }

    /// <inheritdoc/>
    public override Task AwaitHealthy(V1.AwaitHealthyRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var key = InstanceMapping.ReadKey(reader, request.App, request.Slot);
        var release = reader.Release("release", request.Release);
        var health = InstanceMapping.ReadHealth(reader, request.Health);
        if (health is null) reader.Wrong("health", "health is missing");
        var patience = new HealthPatience(
            reader.Duration("deadline", request.Deadline, TimeSpan.FromSeconds(60), Shortest, Day),
            reader.Duration("min_healthy", request.MinHealthy, TimeSpan.Zero, TimeSpan.Zero, Day));
        var operation = Operation(reader, request, request.Operation, OperationKind.AwaitHealthy, key, release, exclusive: null);
        reader.ThrowIfWrong();

        return calls.RunAsync(
            operation,
            async (report, cancellation) =>
            {
                var slot = instances.TryGet(key) ?? throw InstanceErrors.NotRunning(key);
                var target = Target(key, slot.Snapshot().Record.Spec, release, report);
                return await healthWait.RunAsync(slot, target, health!, patience, report, cancellation);
            },
            responseStream,
            context);
    }

    /// <inheritdoc/>
    public override Task Evaluate(V1.EvaluateRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var key = InstanceMapping.ReadKey(reader, request.App, request.Slot);
        var named = request.Release is null ? null : reader.Release("release", request.Release);
        var timeout = reader.Duration("timeout", request.Timeout, TimeSpan.FromSeconds(60), Shortest, Day);
        InstanceMapping.CheckExpression(reader, "expression", request.Expression, MaxEvaluation);
        var operation = Operation(reader, request, request.Operation, OperationKind.Evaluate, key, named, exclusive: null);
        reader.ThrowIfWrong();

        return calls.RunAsync(
            operation,
            async (report, cancellation) =>
            {
                var record = instances.Get(key).Snapshot().Record;
                var target = Target(key, record.Spec, named ?? record.Release, report);
                var end = request.SeparateVm
                    ? await script.EvalAsync(target, request.Expression, timeout, report.Output, cancellation)
                    : await script.RpcAsync(target, request.Expression, timeout, report.Output, cancellation);
                return end.Succeeded ? new Evaluated(0) : throw Failed(key, end, timeout);
            },
            responseStream,
            context);
    }

    private ReleaseInSlot Target(InstanceKey key, SlotSpec spec, ReleaseId release, IOperationReport report)
        => new(key, spec, releases.Get(key.App, release.Version, release.Digest), report.Deployment);

    private static OperatorException Failed(InstanceKey key, CommandEnd end, TimeSpan timeout) => new(new OperatorError(
        StatusCode.Aborted,
        "EVALUATION_FAILED",
        end.TimedOut ? $"{key}: no end within {timeout.TotalSeconds:0.###} s" : $"{key}: exit code {end.ExitCode}",
        "the output above says why").With("exit_code", $"{end.ExitCode}"));
}
