using Decant.Controller.Execution;
using Decant.Errors;

namespace Decant.Controller.Tests.Simulation;

/// <summary>A command that runs in a process.</summary>
internal sealed class SimulatedCommand(string what, ControllerFate fate, ControllerLife life) : IDisposable
{
    private const int MostEvents = 200_000;

    private readonly StopSignal stop = new();
    private Task<DeploymentOutcome>? work;
    private int events;

    public string What => what;

    public ControllerLife Life => life;

    public bool IsOver => life.IsDead || work!.IsCompleted;

    public void Begin(Func<StopSignal, Task<DeploymentOutcome>> command) => work = command(stop);

    /// <summary>An event of the world goes by; false: there were too many.</summary>
    public bool Live()
    {
        // What sleeps gets a signal when it wakes up.
        if (fate.StopAt.Contains(events)) life.Do(stop.Request);
        life.Live(events);
        return ++events <= MostEvents;
    }

    /// <summary>How it ended; null when its process was killed.</summary>
    public CommandEnd? End()
    {
        if (life.IsDead) return null;
        try
        {
            return new CommandEnd(work!.GetAwaiter().GetResult(), null);
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

    public void Dispose() => stop.Dispose();
}
