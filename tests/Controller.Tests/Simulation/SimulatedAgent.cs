using Decant.Controller.Fleet;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Tests.Simulation;

/// <summary>
/// A server's agent, as the contract has it: journals operations by id, lets a repeated call join or replay the first, does one at a time for
/// an app and for a member, goes on when its caller is gone, and ends what its own death interrupted by saying so.
/// </summary>
internal sealed class SimulatedAgent(World world, AgentAddress address)
{
    private readonly Dictionary<OperationId, SimulatedOperation> operations = [];
    private readonly Dictionary<string, Queue<SimulatedOperation>> turns = [];
    private readonly Dictionary<DeploymentId, string> migrations = [];
    private TimeSpan cutOffUntil;

    public bool IsUp { get; private set; } = true;

    public bool IsReachable => IsUp && !IsCutOff;

    /// <summary>What is sent to it is lost, and what it sends.</summary>
    public bool IsCutOff => world.Time.Now < cutOffUntil;

    public AgentAddress Address => address;

    /// <summary>Who may change the app here.</summary>
    public SimulatedLeases Leases { get; } = new(world, address);

    /// <summary>A call arrives.</summary>
    /// <param name="step">What is asked for.</param>
    /// <param name="id">Names it.</param>
    /// <param name="deployment">Whose it is.</param>
    /// <param name="token">Of the caller's lease; null: it has none.</param>
    /// <param name="caller">Who calls.</param>
    /// <param name="reply">Told how it ended; null when the agent died before it did.</param>
    public void Call(Step step, OperationId id, DeploymentId deployment, FencingToken? token, ControllerLife caller, Action<StepOutcome?> reply)
    {
        if (operations.TryGetValue(id, out var known))
        {
            if (known.Outcome is { } outcome) reply(outcome);
            else known.Followers.Add(reply);
            return;
        }

        if (Leases.Seen(token) is { } lost)
        {
            reply(new StepOutcome.Failed(lost, []));
            return;
        }

        var operation = operations[id] = new SimulatedOperation(world, step, id, deployment, token!, caller);
        operation.Followers.Add(reply);
        if (step is MigrateStep) world.Rules.MigrationAsked(operation);
        var key = TurnOf(step);
        if (!turns.TryGetValue(key, out var queue)) turns[key] = queue = new Queue<SimulatedOperation>();
        queue.Enqueue(operation);
        if (queue.Count == 1) Begin(operation);
    }

    /// <summary>Whether something still runs that was begun under another lease; whoever goes on with a deployment joins its migration.</summary>
    public bool IsBusyFor(FencingToken token, DeploymentId? deployment)
        => operations.Values.Any(o => o.Outcome is null && o.Token != token && !(o.Step is MigrateStep && o.Deployment == deployment));

    /// <summary>An operation is to end early.</summary>
    public void Cancel(OperationId id)
    {
        if (operations.GetValueOrDefault(id) is { Outcome: null } operation) operation.IsCancelled = true;
    }

    /// <summary>Its process dies. What it had sent off goes on: instances, migrations, what balancers were told.</summary>
    public void Crash()
    {
        IsUp = false;
        world.Log($"the agent at {address} dies");
        foreach (var operation in operations.Values.Where(o => o.Outcome is null).ToList())
        {
            operation.End(Failed("OPERATION_INTERRUPTED", "the agent was killed"), told: false);
            if (operation.IsBegun) world.Rules.Ended(operation);
        }

        turns.Clear();
        world.Time.In(world.Between(500, 30_000), Restart);
    }

    public void CutOff(TimeSpan time)
    {
        world.Log($"nobody reaches the agent at {address} for {time.TotalSeconds:0.0} s");
        cutOffUntil = world.Time.Now + time;
    }

    public void Heal()
    {
        cutOffUntil = TimeSpan.Zero;
        Restart();
    }

    private void Restart()
    {
        if (IsUp) return;
        IsUp = true;
        Leases.Restart();
        world.Log($"the agent at {address} is back");
        // What a slot is to run and does not, is started.
        foreach (var host in world.Hosts.Where(h => h.Manifest.Agent == address))
        {
            foreach (var (release, slot) in host.Wanted.Values.Where(w => !host.Instances.ContainsKey(w.Slot.Name)).ToList()) host.Launch(release, slot);
        }
    }

    private void Begin(SimulatedOperation operation)
    {
        operation.IsBegun = true;
        world.Rules.Began(operation);
        _ = RunAsync(operation);
    }

    private async Task RunAsync(SimulatedOperation operation)
    {
        StepOutcome outcome;
        try
        {
            await operation.PauseAsync(world.Between(1, 50));
            outcome = world.Chance(world.Weather.Refuses) ? Failed("REFUSED", "the agent says no") : await WorkAsync(operation);
        }
        catch (OperationCanceledException)
        {
            outcome = Failed("OPERATION_CANCELLED", "cancelled");
        }

        if (operation.Outcome is not null) return;
        if (world.IsTraced) world.Log($"agent {address}: {operation.Id} {(outcome is StepOutcome.Failed failed ? failed.Error.Reason : "done")}");
        operation.End(outcome, told: true);
        world.Rules.Ended(operation);
        var queue = turns[TurnOf(operation.Step)];
        queue.Dequeue();
        if (queue.Count > 0) Begin(queue.Peek());
    }

    private Task<StepOutcome> WorkAsync(SimulatedOperation operation) => operation.Step switch
    {
        StageStep stage => StageAsync(operation, stage),
        PreflightStep => QuickAsync(operation),
        MigrateStep => MigrateAsync(operation),
        PruneStep => QuickAsync(operation),
        SlotStep slot => new SlotWork(world, operation, world.Host(slot.Host), slot.At.Slot).RunAsync(),
        MoveStep move => new BalancerWork(world, operation, world.Balancer(move.Balancer, move.Host)).MoveAsync(move),
        MemberStep member => new BalancerWork(world, operation, world.Balancer(member.Balancer, member.Host)).RunAsync(member),
        _ => throw new InvalidOperationException($"no agent does {operation.Step.Verb}"),
    };

    private async Task<StepOutcome> StageAsync(SimulatedOperation operation, StageStep stage)
    {
        await operation.PauseAsync(world.Between(100, 3_000));
        world.Host(stage.Host).Staged.Add(stage.Release);
        return Done;
    }

    private async Task<StepOutcome> QuickAsync(SimulatedOperation operation)
    {
        await operation.PauseAsync(world.Between(50, 500));
        return Done;
    }

    private async Task<StepOutcome> MigrateAsync(SimulatedOperation operation)
    {
        switch (migrations.GetValueOrDefault(operation.Deployment))
        {
            case "succeeded":
                return new StepOutcome.Succeeded("was run before", Unchanged: true);
            case "running":
                return Failed("MIGRATION_UNCERTAIN", "nobody knows how it ended");
        }

        migrations[operation.Deployment] = "running";
        world.Rules.MigrationBegins(operation.Deployment);
        try
        {
            await operation.PauseAsync(world.Between(200, 4_000));
        }
        catch (OperationCanceledException)
        {
            migrations[operation.Deployment] = "cancelled";
            throw;
        }

        migrations[operation.Deployment] = "succeeded";
        world.Rules.MigrationSucceeded(operation.Deployment);
        return Done;
    }

    private static string TurnOf(Step step) => step switch
    {
        MigrateStep => "migrate",
        MemberStep member => $"member/{member.Balancer.Key}/{member.Member}",
        MoveStep move => $"move/{move.Balancer.Key}",
        _ => $"app",
    };

    internal static StepOutcome Done { get; } = new StepOutcome.Succeeded("done");

    internal static StepOutcome Failed(string reason, string message)
        => new StepOutcome.Failed(new OperatorError(StatusCode.Aborted, reason, message, "do better"), ["last line"]);

    /// <summary>The balancer does not answer: nothing is known of it.</summary>
    internal static StepOutcome Silent { get; } = new StepOutcome.Failed(
        new OperatorError(StatusCode.Unavailable, "BALANCER_UNREACHABLE", "the balancer does not answer", "see that it runs").With("state", "unknown"), []);
}

/// <summary>A piece of an agent's work.</summary>
internal sealed class SimulatedOperation(World world, Step step, OperationId id, DeploymentId deployment, FencingToken token, ControllerLife caller)
{
    public Step Step => step;

    public OperationId Id => id;

    public DeploymentId Deployment => deployment;

    /// <summary>Of the lease under which it was begun.</summary>
    public FencingToken Token => token;

    /// <summary>Who asked for it first.</summary>
    public ControllerLife Caller => caller;

    /// <summary>It undoes what the deployment changed.</summary>
    public bool IsRollback => id.Value.Contains("/rollback/", StringComparison.Ordinal);

    public List<Action<StepOutcome?>> Followers { get; } = [];

    /// <summary>How it ended, as journaled; null while it runs or waits for its turn.</summary>
    public StepOutcome? Outcome { get; private set; }

    public bool IsCancelled { get; set; }

    public bool IsBegun { get; set; }

    /// <summary>Lets time pass. What its agent's death has ended never goes on.</summary>
    public Task PauseAsync(TimeSpan time)
    {
        var pause = new TaskCompletionSource();
        world.Time.In(time, () =>
        {
            if (Outcome is not null) return;
            if (IsCancelled) pause.SetException(new OperationCanceledException());
            else pause.SetResult();
        });
        return pause.Task;
    }

    /// <summary>Waits for something that happens by itself.</summary>
    public async Task<bool> UntilAsync(Func<bool> isSo, TimeSpan deadline)
    {
        for (var waited = TimeSpan.Zero; ;)
        {
            if (isSo()) return true;
            if (waited >= deadline) return false;
            var look = TimeSpan.FromMilliseconds(500);
            await PauseAsync(look);
            waited += look;
        }
    }

    public void End(StepOutcome outcome, bool told)
    {
        Outcome = outcome;
        foreach (var follower in Followers) follower(told ? outcome : null);
        Followers.Clear();
    }
}
