using Decant.Controller.Execution;
using Decant.Errors;

namespace Decant.Controller.Tests.Simulation;

/// <summary>What happens to a controller's process: by number of the event, or of the use of its journal.</summary>
/// <param name="StopAt">Ctrl-C.</param>
/// <param name="DiesAt">kill -9 between two events.</param>
/// <param name="DiesAtWrite">kill -9 when it is about to use its journal.</param>
internal sealed record ControllerFate(IReadOnlyList<int> StopAt, int? DiesAt, int? DiesAtWrite)
{
    public static ControllerFate Calm { get; } = new([], null, null);

    /// <summary>SIGSTOP, or a laptop's lid: it goes on a while later and does not know it.</summary>
    public int? SleepsAt { get; init; }

    /// <summary>Its machine's network is gone for a while; it goes on working.</summary>
    public int? CutOffAt { get; init; }

    public static ControllerFate At(Random random) => random.Next(8) switch
    {
        0 => new([], random.Next(1_200), null),
        1 => new([], null, random.Next(120)),
        2 => new([random.Next(1_000)], null, null),
        3 when random.Next(3) == 0 => new([random.Next(600), random.Next(600, 1_200)], null, null),
        4 => Calm with { SleepsAt = random.Next(1_000) },
        5 => Calm with { CutOffAt = random.Next(1_000) },
        _ => Calm,
    };
}

/// <summary>One process of a controller: what reaches it, and when.</summary>
internal sealed class ControllerLife(World world, string name, ControllerFate fate)
{
    private readonly Queue<Action> slept = [];
    private TimeSpan cutOffUntil;
    private int uses;

    public bool IsDead { get; private set; }

    public bool IsAsleep { get; private set; }

    /// <summary>Nothing that it sends arrives, and nothing arrives there.</summary>
    public bool IsCutOff => world.Time.Now < cutOffUntil;

    /// <summary>It has not ended.</summary>
    public bool IsAtWork { get; private set; } = true;

    /// <summary>An agent gave a lease of it to somebody else.</summary>
    public bool HasLost { get; set; }

    /// <summary>An agent told it that a lease is lost: it must not change anything any more.</summary>
    public bool KnowsOfLoss { get; private set; }

    public override string ToString() => name;

    public void Die() => IsDead = true;

    public void End() => IsAtWork = false;

    /// <summary>What its fate has for it now.</summary>
    public void Live(int events)
    {
        if (events == fate.DiesAt) Die();
        if (events == fate.SleepsAt) Sleep(world.Between(1_000, 60_000));
        if (events == fate.CutOffAt) CutOff(world.Between(1_000, 60_000));
    }

    /// <summary>Lets something happen in the process: at once, when it wakes up, or never.</summary>
    public void Do(Action action)
    {
        if (IsDead) return;
        if (IsAsleep) slept.Enqueue(action);
        else action();
    }

    /// <summary>It hears what became of its lease, or of a step.</summary>
    public void Learn(OperatorError? error)
    {
        if (error?.Reason == Refusals.LeaseLost) KnowsOfLoss = true;
    }

    /// <summary>It is about to read or write its journal.</summary>
    public void Writes()
    {
        if (uses++ == fate.DiesAtWrite) Die();
        // What the process would have done after its death is never written down.
        if (IsDead) throw new IOException("the process is dead");
    }

    private void Sleep(TimeSpan time)
    {
        world.Log($"{name} sleeps for {time.TotalSeconds:0.0} s");
        IsAsleep = true;
        world.Time.In(time, () =>
        {
            world.Log($"{name} wakes up");
            IsAsleep = false;
            while (!IsDead && slept.TryDequeue(out var action)) action();
        });
    }

    private void CutOff(TimeSpan time)
    {
        world.Log($"{name} reaches nobody for {time.TotalSeconds:0.0} s");
        cutOffUntil = world.Time.Now + time;
    }

    public void Hears(DeploymentEvent item)
    {
        if (IsDead) return;
        if (item is StepEnded { End.Error: { Reason: "INTERNAL" } fault }) world.Rules.Break($"{name} ends a step by a fault of its own: {fault.Message}");
        if (!world.IsTraced) return;
        switch (item)
        {
            case StepStarted started:
                world.Log($"{name}: step {started.Run.Operation}: {started.Run.Step.Describe()}");
                break;
            case StepEnded ended:
                world.Log($"{name}: step {ended.Run.Operation}: {ended.End.State} {ended.End.Error?.Reason}");
                break;
            case StepRetried retried:
                world.Log($"{name}: step {retried.Run.Operation} again: {retried.Error.Reason}");
                break;
            case PlanMade plan:
                world.Log($"{name}: plan {(plan.IsRollback ? "back " : "")}of attempt {plan.Attempt}: {string.Join("; ", plan.Plan.Waves.Select(w => string.Join(", ", w.Hosts.Select(h => $"{h.Host} ({h.Why})"))))}");
                break;
        }
    }
}
