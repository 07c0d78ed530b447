using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Tests.Simulation;

/// <summary>What must never happen, checked at everything that an agent does.</summary>
internal sealed class Rules(World world)
{
    private readonly Dictionary<DeploymentId, int> floors = [];
    private readonly Dictionary<HostName, List<SimulatedOperation>> changing = [];
    private readonly Dictionary<DeploymentId, (OperationId Id, AgentAddress Agent)> asked = [];
    private readonly HashSet<DeploymentId> migrated = [];
    private readonly HashSet<DeploymentId> cutOver = [];

    private readonly Dictionary<HostName, SimulatedOperation> changedLast = [];

    /// <summary>How many hosts a deployment leaves empty, as they were before, as each machine knows it.</summary>
    public List<Func<DeploymentId, int>> Emptied { get; } = [];

    /// <summary>What fell by itself, as far as nobody at Decant's end could know when it acted: where no balancer sees all hosts.</summary>
    private readonly HashSet<HostName> fallen = [];
    private readonly HashSet<HostName> served = [];

    /// <summary>What happened all the same.</summary>
    public List<string> Broken { get; } = [];

    /// <summary>Deployments by id that bring a new release to hosts, with the release that must be migrated to first.</summary>
    public Dictionary<DeploymentId, ReleaseId> Migrating { get; } = [];

    public void Break(string rule)
    {
        world.Log($"BROKEN: {rule}");
        Broken.Add(rule);
    }

    /// <summary>Looks at what is so now: after every event.</summary>
    public void Look()
    {
        foreach (var host in world.Manifest.Hosts)
        {
            if (world.IsServed(host.Name))
            {
                served.Add(host.Name);
                fallen.Remove(host.Name);
            }
            else if (served.Remove(host.Name))
            {
                fallen.Add(host.Name);
            }
        }
    }

    /// <summary>An agent begins to work on an operation.</summary>
    public void Began(SimulatedOperation operation)
    {
        floors.TryAdd(
            operation.Deployment,
            Math.Min(world.Manifest.Strategy.MinInRotation.AtLeastOf(world.Manifest.Hosts.Count), world.Served - Emptied.Sum(emptied => emptied(operation.Deployment))));
        if (world.IsTraced) world.Log($"agent {operation.Step.Agent}: {operation.Id} begins");
        if (!IsCutover(operation.Step)) return;
        if (!operation.IsRollback) cutOver.Add(operation.Deployment);
        foreach (var host in operation.Step.Hosts)
        {
            if (!changing.TryGetValue(host, out var others)) changing[host] = others = [];
            if (others.FirstOrDefault(o => o.Deployment != operation.Deployment) is { } other) Break($"{operation.Id} and {other.Id} change {host} at once");
            others.Add(operation);
            // Whoever holds all leases and is at work has the host for himself, also between two of his steps.
            if (changedLast.GetValueOrDefault(host) is { Caller: { IsAtWork: true, IsDead: false, HasLost: false } at } last && at != operation.Caller)
                Break($"{operation.Id} of {operation.Caller} changes {host}, which {last.Deployment} of {at} is at work on");
            changedLast[host] = operation;
        }
    }

    /// <summary>It does not work on it any more.</summary>
    public void Ended(SimulatedOperation operation)
    {
        foreach (var host in operation.Step.Hosts) changing.GetValueOrDefault(host)?.Remove(operation);
    }

    /// <summary>Something that Decant does takes effect: it must not leave too few hosts in rotation.</summary>
    public void Acts(SimulatedOperation operation, Action effect)
    {
        Look();
        var before = world.Served;
        effect();
        var after = world.Served;
        served.RemoveWhere(h => !world.IsServed(h));
        // A balancer that sees all hosts counts them at every drain. Without one nobody does: a deployment goes by what it saw when it began.
        if (world.Manifest.Balancers.All(b => b.Agent is null) && after + fallen.Count >= floors[operation.Deployment]) return;
        if (after >= before || world.Manifest.Strategy.Kind == StrategyKind.Recreate) return;
        if (after < floors[operation.Deployment]) Break($"{operation.Id} leaves {after} hosts in rotation, of at least {floors[operation.Deployment]}");
    }

    /// <summary>An instance is going to be stopped: every balancer must have said that it is drained, or its time must have passed.</summary>
    public void Stops(SimulatedHost host, SimulatedInstance instance, string why)
    {
        if (!instance.IsUp) return;
        foreach (var balancer in world.BalancersOf(host.Name))
        {
            if (balancer.MemberOf(host.Name, instance.Slot.Name) is not { } member) continue;
            if (member.Ready) Break($"{why} stops {host.Name}/{instance.Slot.Name}, which {balancer.Seat} sends requests to");
            else if (!member.Drained) Break($"{why} stops {host.Name}/{instance.Slot.Name}, which {balancer.Seat} has not drained");
        }
    }

    /// <summary>A release is started.</summary>
    public void Starts(SimulatedOperation operation, SimulatedHost host, ReleaseId release)
    {
        if (Migrating.TryGetValue(operation.Deployment, out var wanted) && wanted == release && !operation.IsRollback && !migrated.Contains(operation.Deployment))
            Break($"{operation.Id} starts {release.Version} before the migration");
        if (world.Manifest.Strategy.Kind != StrategyKind.Recreate) return;
        if (world.Hosts.SelectMany(h => h.Instances.Values).FirstOrDefault(i => i.IsAlive && i.Release != release) is { } other)
            Break($"{operation.Id} starts {release.Version} on {host.Name} while {other.Release.Version} runs");
    }

    /// <summary>A controller asks for a migration: under one id and at one agent, or nobody would know that it is the same.</summary>
    public void MigrationAsked(SimulatedOperation operation)
    {
        if (asked.TryGetValue(operation.Deployment, out var before) && (before.Id, before.Agent) != (operation.Id, operation.Step.Agent))
            Break($"the migration of {operation.Deployment} is asked for as {before.Id} at {before.Agent} and as {operation.Id} at {operation.Step.Agent}");
        asked[operation.Deployment] = (operation.Id, operation.Step.Agent);
    }

    /// <summary>A migration begins to run.</summary>
    public void MigrationBegins(DeploymentId deployment)
    {
        if (migrated.Contains(deployment)) Break($"the migration of {deployment} is run again");
        if (cutOver.Contains(deployment)) Break($"the migration of {deployment} comes after its first cutover step");
    }

    /// <summary>A migration has been run.</summary>
    public void MigrationSucceeded(DeploymentId deployment) => migrated.Add(deployment);

    private static bool IsCutover(Step step) => step is MemberStep or MoveStep or SlotStep;
}
