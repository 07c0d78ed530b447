using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Fleet;

/// <summary>The hosts, as the executor sees them: agents over gRPC, or a simulation with seeded faults.</summary>
public interface IFleet
{
    /// <summary>The right to change an app on the hosts.</summary>
    IHostLeases Leases { get; }

    /// <summary>What the hosts keep of deployments; nothing, unless a fleet says otherwise.</summary>
    IHostRecords Records => NoHostRecords.Instance;

    /// <summary>Asks one host's agent what is there. An agent that does not answer is a value, not an exception.</summary>
    Task<HostObservation> ObserveAsync(ManifestHost host, AppName app, CancellationToken cancellation);

    /// <summary>Asks a balancer, through its agent, for its backend. One that does not answer is a value, not an exception.</summary>
    /// <param name="balancer">The balancer.</param>
    /// <param name="host">Whose instances it serves: of balancers that each host has, the one on this host is asked.</param>
    /// <param name="cancellation">Gives up.</param>
    Task<BalancerObservation> ObserveAsync(ManifestBalancer balancer, ManifestHost host, CancellationToken cancellation);

    /// <summary>Runs one step to its end, under an operation id that makes a repetition safe.</summary>
    /// <param name="step">What to do.</param>
    /// <param name="operation">Names this run of the step; the same id again returns the first run's result.</param>
    /// <param name="deployment">The deployment that causes it.</param>
    /// <param name="progress">Called for each thing the step reports, in order, from one thread at a time.</param>
    /// <param name="cancellation">Gives up waiting for it; the agent is asked to cancel the operation.</param>
    Task<StepOutcome> RunAsync(
        Step step, OperationId operation, DeploymentId deployment, Action<StepProgress> progress, CancellationToken cancellation);
}

/// <summary>How a step ended.</summary>
public abstract record StepOutcome
{
    private StepOutcome()
    {
    }

    /// <summary>It did what it says.</summary>
    /// <param name="Detail">For people, may be empty: <c>stopped by script after 1.2 s</c>.</param>
    /// <param name="Unchanged">Nothing had to be done.</param>
    public sealed record Succeeded(string Detail, bool Unchanged = false) : StepOutcome;

    /// <summary>The agent says that it failed.</summary>
    /// <param name="Error">What, why, state, what next.</param>
    /// <param name="Tail">The release's own last lines, where it printed any.</param>
    public sealed record Failed(OperatorError Error, IReadOnlyList<string> Tail) : StepOutcome;

    /// <summary>The agent cannot be asked (any more): it is not known whether the step was done.</summary>
    /// <param name="Error">Why.</param>
    public sealed record Unknown(OperatorError Error) : StepOutcome;
}

/// <summary>Something that a running step reports.</summary>
public abstract record StepProgress
{
    private StepProgress()
    {
    }

    /// <summary>A sentence.</summary>
    public sealed record Message(string Text) : StepProgress;

    /// <summary>A line that the release printed.</summary>
    public sealed record Output(string Text, bool IsError) : StepProgress;

    /// <summary>Bytes of the archive sent so far.</summary>
    public sealed record Upload(long Sent, long Total) : StepProgress;

    /// <summary>Sessions that a draining member still has.</summary>
    /// <param name="Sessions">All.</param>
    /// <param name="LongLived">Of them: those that do not finish by themselves, where the balancer can tell.</param>
    public sealed record Draining(int Sessions, int LongLived = 0) : StepProgress;

    /// <summary>What canaries were seen to do so far, against the rest.</summary>
    /// <param name="Elapsed">How long they have been watched.</param>
    /// <param name="Figures">For people: <c>web1 0.2 % errors and 12 ms, the rest 0.1 % and 11 ms</c>.</param>
    public sealed record Watched(TimeSpan Elapsed, string Figures) : StepProgress;

    /// <summary>Health checks seen so far.</summary>
    public sealed record Health(int Successes, int Failures, bool IsHealthy, string LastFailure) : StepProgress;
}
