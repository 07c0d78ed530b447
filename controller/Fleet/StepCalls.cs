using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;
using Decant.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Decant.Controller.Fleet;

/// <summary>Which call of the contract does a step: the one place that maps steps to requests.</summary>
internal static class StepCalls
{
    /// <summary>Makes the call. A stage step's archive has been uploaded before.</summary>
    public static AsyncServerStreamingCall<OperationEvent> Begin(
        Step step, OperationRef operation, CallInvoker agent, CancellationToken cancellation) => step switch
        {
            StageStep s => new Releases.ReleasesClient(agent).Stage(
                new StageRequest { Operation = operation, App = s.App.Value, Release = Of(s.Release) }, cancellationToken: cancellation),
            PreflightStep s => new Instances.InstancesClient(agent).Preflight(
                new PreflightRequest
                {
                    Operation = operation,
                    App = s.App.Value,
                    Slot = s.At.Slot.Name.Value,
                    Release = Of(s.Release),
                    Spec = Of(s.At.Slot),
                    PortIsFreed = s.PortIsFreed,
                },
                cancellationToken: cancellation),
            MigrateStep s => Migrate(operation, agent, s, s.Release, s.Migration.Expression, s.Migration.Timeout, cancellation),
            MigrateDownStep s => Migrate(operation, agent, s, s.Release, s.Expression, s.Timeout, cancellation),
            DrainStep s => new Decant.V1.Balancers.BalancersClient(agent).Drain(
                new DrainRequest
                {
                    Operation = operation,
                    Balancer = s.Balancer.Balancer.Value,
                    Backend = s.Balancer.Backend.Value,
                    Member = s.Member.Value,
                    Deadline = Duration.FromTimeSpan(s.Deadline),
                    MinOthersUp = (uint)s.MinOthersUp,
                    App = s.App.Value,
                    LongLived = s.LongLived is not { } policy ? null : new LongLivedPolicy
                    {
                        CloseAfter = Duration.FromTimeSpan(policy.CloseAfter),
                        Spread = Duration.FromTimeSpan(policy.Spread),
                    },
                },
                cancellationToken: cancellation),
            UndrainStep s => new Decant.V1.Balancers.BalancersClient(agent).Undrain(
                new UndrainRequest
                {
                    Operation = operation,
                    Balancer = s.Balancer.Balancer.Value,
                    Backend = s.Balancer.Backend.Value,
                    Member = s.Member.Value,
                    Deadline = Duration.FromTimeSpan(s.Deadline),
                    App = s.App.Value,
                    Address = s.Address?.ToString() ?? "",
                    Weight = (uint)s.Weight,
                },
                cancellationToken: cancellation),
            MoveStep s => new Decant.V1.Balancers.BalancersClient(agent).Move(
                new MoveRequest
                {
                    Operation = operation,
                    Balancer = s.Balancer.Balancer.Value,
                    Backend = s.Balancer.Backend.Value,
                    Into = { s.Moves.Select(m => new PutIn { Member = s.Balancer.MemberOf(m.Into.Name, m.Into.Slot.Name).Value, Address = m.Address?.ToString() ?? "" }) },
                    OutOf = { s.Moves.Select(m => s.Balancer.MemberOf(m.Into.Name, m.OutOf.Name).Value) },
                    Deadline = Duration.FromTimeSpan(s.Deadline),
                    App = s.App.Value,
                },
                cancellationToken: cancellation),
            RemoveMemberStep s => new Decant.V1.Balancers.BalancersClient(agent).RemoveMember(
                new RemoveMemberRequest
                {
                    Operation = operation,
                    Balancer = s.Balancer.Balancer.Value,
                    Backend = s.Balancer.Backend.Value,
                    Member = s.Member.Value,
                    App = s.App.Value,
                },
                cancellationToken: cancellation),
            RetireStep s => new Instances.InstancesClient(agent).Retire(
                new RetireRequest
                {
                    Operation = operation,
                    App = s.App.Value,
                    Slot = s.At.Slot.Name.Value,
                    Keep = Duration.FromTimeSpan(s.Keep),
                    ScriptTimeout = Duration.FromTimeSpan(s.StopTimeout),
                    TermTimeout = Duration.FromTimeSpan(s.TermTimeout),
                },
                cancellationToken: cancellation),
            // Which calls a retirement off; Keep alone would fail where it came first.
            KeepStep s => Start(operation, agent, s, s.Running, s.Health, cancellation),
            StopStep s => new Instances.InstancesClient(agent).Stop(
                new StopRequest
                {
                    Operation = operation,
                    App = s.App.Value,
                    Slot = s.At.Slot.Name.Value,
                    ScriptTimeout = Duration.FromTimeSpan(s.StopTimeout),
                    TermTimeout = Duration.FromTimeSpan(s.TermTimeout),
                    GoneBackFrom = s.GoneBackFrom,
                },
                cancellationToken: cancellation),
            StartStep s => Start(operation, agent, s, s.Release, s.Health, cancellation),
            AwaitHealthyStep s => new Instances.InstancesClient(agent).AwaitHealthy(
                new AwaitHealthyRequest
                {
                    Operation = operation,
                    App = s.App.Value,
                    Slot = s.At.Slot.Name.Value,
                    Release = Of(s.Release),
                    Health = Of(s.Health),
                    Deadline = Duration.FromTimeSpan(s.Deadline),
                    MinHealthy = Duration.FromTimeSpan(s.MinHealthy),
                },
                cancellationToken: cancellation),
            PruneStep s => new Releases.ReleasesClient(agent).PruneReleases(
                new PruneReleasesRequest { Operation = operation, App = s.App.Value, Keep = (uint)s.Keep }, cancellationToken: cancellation),
            _ => throw new InvalidOperationException($"step {step.GetType().Name} has no call"),
        };

    /// <summary>A release as the contract has it.</summary>
    public static ReleaseRef Of(ReleaseId release) => new() { Version = release.Version.Value, Digest = release.Digest.Value };

    /// <summary>A slot as the contract has it.</summary>
    public static SlotSpec Of(SlotSettings slot)
    {
        var spec = new SlotSpec { Port = (uint)slot.Port, Node = slot.Node, NoDistribution = !slot.Distribution };
        foreach (var (key, value) in slot.Environment) spec.Env[key] = value;
        return spec;
    }

    private static AsyncServerStreamingCall<OperationEvent> Start(
        OperationRef operation, CallInvoker agent, HostStep at, ReleaseId release, HealthPolicy health, CancellationToken cancellation)
        => new Instances.InstancesClient(agent).Start(
            new StartRequest
            {
                Operation = operation,
                App = at.App.Value,
                Slot = at.At.Slot.Name.Value,
                Release = Of(release),
                Spec = Of(at.At.Slot),
                Health = Of(health),
            },
            cancellationToken: cancellation);

    private static AsyncServerStreamingCall<OperationEvent> Migrate(
        OperationRef operation, CallInvoker agent, HostStep at, ReleaseId release, string expression, TimeSpan timeout, CancellationToken cancellation)
        => new Instances.InstancesClient(agent).Migrate(
            new MigrateRequest
            {
                Operation = operation,
                App = at.App.Value,
                Slot = at.At.Slot.Name.Value,
                Release = Of(release),
                Spec = Of(at.At.Slot),
                Expression = expression,
                Timeout = Duration.FromTimeSpan(timeout),
            },
            cancellationToken: cancellation);

    private static HealthCheck Of(HealthPolicy health)
    {
        var check = new HealthCheck
        {
            Interval = Duration.FromTimeSpan(health.Interval),
            StartInterval = Duration.FromTimeSpan(health.StartInterval),
            Timeout = Duration.FromTimeSpan(health.Timeout),
            Rise = (uint)health.Rise,
            Fall = (uint)health.Fall,
        };
        switch (health.Check)
        {
            case HealthProbe.Http http:
                check.Http = new HttpCheck { Path = http.Path, Status = (uint)http.Status, BodyContains = http.BodyContains, Host = http.HostHeader };
                break;
            case HealthProbe.Tcp:
                check.Tcp = new TcpCheck();
                break;
            case HealthProbe.Rpc rpc:
                check.Rpc = new RpcCheck { Expression = rpc.Expression };
                break;
            default:
                throw new InvalidOperationException($"health check {health.Check.GetType().Name} has no message");
        }

        return check;
    }
}
