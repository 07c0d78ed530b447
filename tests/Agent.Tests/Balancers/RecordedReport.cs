using System.Collections.Concurrent;
using Decant.Agent.Operations;
using Decant.Names;

namespace Decant.Agent.Tests.Balancers;

/// <summary>Keeps what an operation reported.</summary>
internal sealed class RecordedReport : IOperationReport
{
    public OperationId Id { get; } = OperationId.Parse("test");

    public DeploymentId? Deployment => null;

    public ConcurrentQueue<string> Messages { get; } = [];

    public ConcurrentQueue<int> Sessions { get; } = [];

    public ConcurrentQueue<OutputLine> Lines { get; } = [];

    public ConcurrentQueue<HealthSeen> Seen { get; } = [];

    public void Message(string text) => Messages.Enqueue(text);

    public void Output(OutputLine line) => Lines.Enqueue(line);

    /// <summary>Long-lived connections, for each of <see cref="Sessions"/>.</summary>
    public ConcurrentQueue<int> LongLived { get; } = [];

    public void Draining(int sessions, TimeSpan elapsed, int longLived = 0)
    {
        LongLived.Enqueue(longLived);
        Sessions.Enqueue(sessions);
    }

    public void Health(HealthSeen seen) => Seen.Enqueue(seen);
}
