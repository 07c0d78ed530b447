using Decant.Controller.Execution;
using Decant.Controller.State;
using Decant.Errors;

namespace Decant.Controller.Tests.Simulation;

/// <summary>The machine that <c>decant</c> runs on: its journal stays; its processes come and go, one at a time.</summary>
internal sealed class SimulatedController : IDisposable
{
    private readonly World world;
    private readonly string machine;
    private readonly EmptiedJournal database;
    private readonly string directory = Directory.CreateTempSubdirectory("decant-simulation-").FullName;
    private readonly Random ids;
    private SimulatedCommand? command;
    private int lives;

    public SimulatedController(World world, string machine, int seed)
    {
        (this.world, this.machine, ids) = (world, machine, new Random(seed));
        database = EmptiedJournal.Take(() => command?.Life.Writes());
        Journal = new DeploymentJournal(database.Database);
        world.Rules.Emptied.Add(id =>
        {
            // Not the controller's own process looks here.
            var own = command;
            command = null;
            var emptied = Journal.Find(id)?.Cutovers.Count(c => c.To is null) ?? 0;
            command = own;
            return emptied;
        });
    }

    public DeploymentJournal Journal { get; }

    public DeploymentRecord? Last => Journal.List(world.Manifest.App, 1) is [var last] ? last : null;

    /// <summary>Begins a command in a process of its own.</summary>
    /// <param name="what">For the trace.</param>
    /// <param name="fate">When it is stopped or killed.</param>
    /// <param name="work">The command.</param>
    public SimulatedCommand Begin(string what, ControllerFate fate, Func<DeploymentService, StopSignal, Task<DeploymentOutcome>> work)
    {
        var name = $"{machine}/{++lives}";
        world.Log($"{name}$ decant {what}");
        var life = new ControllerLife(world, name, fate);
        var locks = Directory.CreateDirectory(Path.Combine(directory, $"{lives}")).FullName;
        var service = new DeploymentService(
            new StateDirectory(locks), Journal, _ => new NetworkFleet(world, life), new ControllerClock(world.Time, life), ids, new ExecutorOptions(), life.Hears);
        command = new SimulatedCommand(what, fate, life);
        command.Begin(stop => work(service, stop));
        return command;
    }

    /// <summary>Takes note of how a command ended; null when its process was killed.</summary>
    public CommandEnd? End(SimulatedCommand ended)
    {
        command = null;
        ended.Life.End();
        if (ended.End() is { } end)
        {
            world.Log($"{ended.Life} decant {ended.What}: {end}");
            return end;
        }

        world.Log($"{ended.Life} decant {ended.What} is killed");
        if (Last is { Status: DeploymentStatus.Running } left) Journal.Update(left.Id, r => r with { Holder = new ControllerProcess(0, 0, "nobody") });
        return null;
    }

    public void Dispose()
    {
        command = null;
        database.GiveBack();
        Directory.Delete(directory, recursive: true);
    }
}

/// <summary>How a command ended: with an outcome, or refused; with neither when it was stopped before it began.</summary>
internal sealed record CommandEnd(DeploymentOutcome? Outcome, OperatorError? Refusal)
{
    public override string ToString() => Outcome is { } outcome ? $"{outcome.Status}: {outcome.Summary} NEXT {outcome.WhatNext}"
        : Refusal is { } refusal ? $"refused: {refusal.Reason}: {refusal.Message}"
        : "stopped before it began";
}
