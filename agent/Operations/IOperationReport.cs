using Decant.Names;

namespace Decant.Agent.Operations;

/// <summary>Where a running operation tells how it gets on; everything reaches the journal, the watchers and the caller.</summary>
internal interface IOperationReport
{
    /// <summary>The operation.</summary>
    OperationId Id { get; }

    /// <summary>The deployment that causes it.</summary>
    DeploymentId? Deployment { get; }

    /// <summary>A sentence for people.</summary>
    void Message(string text);

    /// <summary>A line that the release printed.</summary>
    void Output(OutputLine line);

    /// <summary>Sessions that a draining member still has.</summary>
    /// <param name="sessions">All.</param>
    /// <param name="elapsed">Since the drain began.</param>
    /// <param name="longLived">Of them: those that do not finish by themselves, where the balancer can tell.</param>
    void Draining(int sessions, TimeSpan elapsed, int longLived = 0);

    /// <summary>Health as seen so far.</summary>
    void Health(HealthSeen seen);
}

/// <summary>
/// The work of an operation. Throws <see cref="Errors.OperatorException"/> to fail with its error. The token is cancelled when
/// somebody asks for it or the agent stops, never because the caller hung up.
/// </summary>
internal delegate Task<OperationResult> OperationWork(IOperationReport report, CancellationToken cancellation);
