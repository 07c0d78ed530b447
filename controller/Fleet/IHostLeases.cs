using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Fleet;

/// <summary>The leases of the hosts' agents. What was acquired here is sent along with every step that this fleet runs on that agent.</summary>
public interface IHostLeases
{
    /// <summary>Takes the app's lease; the same holder again gets the same lease.</summary>
    /// <param name="agent">Whose host.</param>
    /// <param name="wanted">What is wanted.</param>
    /// <param name="cancellation">Gives up.</param>
    Task<LeaseAnswer> AcquireAsync(AgentAddress agent, WantedLease wanted, CancellationToken cancellation);

    /// <summary>The holder lives, and does this.</summary>
    /// <param name="agent">Whose host.</param>
    /// <param name="app">The app.</param>
    /// <param name="step">For people.</param>
    /// <param name="cancellation">Gives up.</param>
    Task<LeaseAnswer> RenewAsync(AgentAddress agent, AppName app, string step, CancellationToken cancellation);

    /// <summary>Gives the lease back, if it can: otherwise it expires.</summary>
    Task ReleaseAsync(AgentAddress agent, AppName app);

    /// <summary>Takes a lease away from a holder that is known to be dead.</summary>
    /// <param name="agent">Whose host.</param>
    /// <param name="held">Only this lease.</param>
    /// <param name="by">Who does it.</param>
    /// <param name="reason">Why.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>Why it cannot be taken away; null when it was.</returns>
    Task<OperatorError?> UnlockAsync(AgentAddress agent, HeldLease held, string by, string reason, CancellationToken cancellation);
}

/// <summary>A lease that is wanted.</summary>
/// <param name="App">The app.</param>
/// <param name="Id">The same on all hosts of a deployment, and used once.</param>
/// <param name="Holder">Who wants it.</param>
/// <param name="Purpose">What for: <c>deploying shop 1.4.2</c>.</param>
/// <param name="Deployment">For which deployment; null: for none.</param>
/// <param name="Duration">How long it lasts without a renewal.</param>
/// <param name="Step">What will be done first.</param>
public sealed record WantedLease(AppName App, string Id, LeaseProcess Holder, string Purpose, DeploymentId? Deployment, TimeSpan Duration, string Step);

/// <summary>The process that holds a lease, as others see it.</summary>
/// <param name="User">Who started it.</param>
/// <param name="Machine">On which machine.</param>
/// <param name="Pid">Its process id.</param>
/// <param name="Process">Which process of which machine, over restarts of both.</param>
public sealed record LeaseProcess(string User, string Machine, int Pid, string Process)
{
    /// <summary><c>alice on ops1 (pid 4711)</c>.</summary>
    public override string ToString() => $"{User} on {Machine} (pid {Pid})";
}

/// <summary>A lease that somebody else has.</summary>
/// <param name="App">The app.</param>
/// <param name="Token">Its token.</param>
/// <param name="Holder">Who has it.</param>
public sealed record HeldLease(AppName App, FencingToken Token, LeaseProcess Holder);

/// <summary>What an agent says of a lease.</summary>
public abstract record LeaseAnswer
{
    private LeaseAnswer()
    {
    }

    /// <summary>It is ours.</summary>
    public sealed record Ours : LeaseAnswer;

    /// <summary>It is not ours, or no longer.</summary>
    /// <param name="Error">LEASE_HELD or LEASE_LOST: who has it, since when, at which step. Or whatever else the agent says no for.</param>
    /// <param name="Held">Whose it is; null where that is not known.</param>
    public sealed record Refused(OperatorError Error, HeldLease? Held) : LeaseAnswer;

    /// <summary>The agent cannot be asked.</summary>
    public sealed record Unknown(OperatorError Error) : LeaseAnswer;
}
