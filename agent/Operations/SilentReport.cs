using Decant.Names;

namespace Decant.Agent.Operations;

/// <summary>For work that the agent does by itself: nobody watches, and its log has what matters.</summary>
internal sealed class SilentReport : IOperationReport
{
    private SilentReport()
    {
    }

    /// <summary>The one there is.</summary>
    public static SilentReport Instance { get; } = new();

    /// <inheritdoc/>
    public OperationId Id { get; } = OperationId.Parse("agent");

    /// <inheritdoc/>
    public DeploymentId? Deployment => null;

    /// <inheritdoc/>
    public void Message(string text)
    {
    }

    /// <inheritdoc/>
    public void Output(OutputLine line)
    {
    }

    /// <inheritdoc/>
    public void Draining(int sessions, TimeSpan elapsed, int longLived = 0)
    {
    }

    /// <inheritdoc/>
    public void Health(HealthSeen seen)
    {
    }
}
