using Decant.Controller.Execution;
using Decant.Controller.State;
using Decant.Errors;

namespace Decant.Controller.Tests.Simulation;

/// <summary>The machine that <c>decant</c> runs on: its journal stays, its processes come and go, one at a time.</summary>
internal sealed class SimulatedController : IDisposable
{
    private const int MostEvents = 100_000;

    private readonly World world;
    private readonly JournalDatabase database;
    private readonly string directory = Directory.CreateTempSubdirectory("decant-simulation-").FullName;
    private readonly Random ids;
    private ControllerLife? life;
    private int lives;

    public SimulatedController(World world, int seed)
    {
        (this.world, ids) = (world, new Random(seed));
        database = JournalDatabase.InMemory(() => life?.Writes());
        Journal = new DeploymentJournal(database);
        world.Rules.Emptied = id =>
        {
            // Not the controller's own process looks here.
            var own = life;
            life = null;
            var emptied = Journal.Find(id)!.Cutovers.Count(c => c.To is null);
            life = own;
            return emptied;
        };
    }

    public DeploymentJournal Journal { get; }

    public DeploymentRecord? Last => Journal.List(world.Manifest.App, 1) is [var last] ? last : null;

    /// <summary>Runs one command in a process of its own, to its end or to that of its process.</summary>
    /// <param name="what">For the trace.</param>
    /// <param name="fate">When it is stopped or killed.</param>
    /// <param name="command">The command.</param>
    /// <returns>How it ended; null when its process was killed.</returns>
    public CommandEnd? Run(string what, ControllerFate fate, Func<DeploymentService, StopSignal, Task<DeploymentOutcome>> command)
    {
        world.Log($"$ decant {what}");
        var own = life = new ControllerLife(world, fate);
        var locks = Directory.CreateDirectory(Path.Combine(directory, $"{++lives}")).FullName;
        var service = new DeploymentService(
            new StateDirectory(locks), Journal, _ => new NetworkFleet(world, () => own.IsDead), new ControllerClock(world.Time, () => own.IsDead), ids, new ExecutorOptions(), own.Hears);
        using var stop = new StopSignal();
        var work = command(service, stop);
        var events = 0;
        while (!work.IsCompleted && !own.IsDead)
        {
            if (fate.StopAt.Contains(events)) stop.Request();
            if (events == fate.DiesAt) own.Die();
            if (++events > MostEvents)
            {
                world.Rules.Break($"decant {what} never ends");
                return null;
            }

            world.Blow();
            world.Rules.Look();
            if (!own.IsDead && !work.IsCompleted && !world.Time.Next())
            {
                world.Rules.Break($"decant {what} waits for something that never comes");
                return null;
            }
        }

        life = null;
        if (own.IsDead)
        {
            world.Log($"decant {what} is killed");
            if (Last is { Status: DeploymentStatus.Running } left) Journal.Update(left.Id, r => r with { Holder = new ControllerProcess(0, 0, "nobody") });
            return null;
        }

        var end = EndOf(work);
        world.Log($"decant {what}: {end}");
        return end;
    }

    public void Dispose()
    {
        database.Dispose();
        Directory.Delete(directory, recursive: true);
    }

    private static CommandEnd EndOf(Task<DeploymentOutcome> work)
    {
        try
        {
            return new CommandEnd(work.GetAwaiter().GetResult(), null);
        }
        catch (OperatorException exception)
        {
            return new CommandEnd(null, exception.Error);
        }
        catch (OperationCanceledException)
        {
            return new CommandEnd(null, null);
        }
    }
}

/// <summary>How a command ended: with an outcome, or refused; with neither when it was stopped before it began.</summary>
internal sealed record CommandEnd(DeploymentOutcome? Outcome, OperatorError? Refusal)
{
    public override string ToString() => Outcome is { } outcome ? $"{outcome.Status}: {outcome.Summary} NEXT {outcome.WhatNext}"
        : Refusal is { } refusal ? $"refused: {refusal.Reason}: {refusal.Message}"
        : "stopped before it began";
}

/// <summary>What happens to a controller's process: by number of the event, or of the use of its journal.</summary>
/// <param name="StopAt">Ctrl-C.</param>
/// <param name="DiesAt">kill -9 between two events.</param>
/// <param name="DiesAtWrite">kill -9 when it is about to use its journal.</param>
internal sealed record ControllerFate(IReadOnlyList<int> StopAt, int? DiesAt, int? DiesAtWrite)
{
    public static ControllerFate Calm { get; } = new([], null, null);

    public static ControllerFate At(Random random) => random.Next(6) switch
    {
        0 => new([], random.Next(600), null),
        1 => new([], null, random.Next(120)),
        2 => new([random.Next(500)], null, null),
        3 when random.Next(3) == 0 => new([random.Next(300), random.Next(300, 600)], null, null),
        _ => Calm,
    };
}

/// <summary>One process.</summary>
internal sealed class ControllerLife(World world, ControllerFate fate)
{
    private int uses;

    public bool IsDead { get; private set; }

    public void Die() => IsDead = true;

    /// <summary>It is about to read or write its journal.</summary>
    public void Writes()
    {
        if (uses++ == fate.DiesAtWrite) Die();
        // What the process would have done after its death is never written down.
        if (IsDead) throw new IOException("the process is dead");
    }

    public void Hears(DeploymentEvent item)
    {
        if (IsDead || !world.IsTraced) return;
        switch (item)
        {
            case StepStarted started:
                world.Log($"step {started.Run.Operation}: {started.Run.Step.Describe()}");
                break;
            case StepEnded ended:
                world.Log($"step {ended.Run.Operation}: {ended.End.State} {ended.End.Error?.Reason}");
                break;
            case StepRetried retried:
                world.Log($"step {retried.Run.Operation} again: {retried.Error.Reason}");
                break;
            case PlanMade plan:
                world.Log($"plan {(plan.IsRollback ? "back " : "")}of attempt {plan.Attempt}: {string.Join("; ", plan.Plan.Waves.Select(w => string.Join(", ", w.Hosts.Select(h => $"{h.Host} ({h.Why})"))))}");
                break;
        }
    }
}
