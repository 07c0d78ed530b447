using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>Delivers a deployment's events in order, one at a time, stamped with the time.</summary>
internal sealed class EventStream(DeploymentId deployment, TimeProvider time, Action<DeploymentEvent> sink)
{
    private readonly Lock gate = new();

    /// <summary>Makes an event of the time and the deployment, and delivers it.</summary>
    public void Tell(Func<DateTimeOffset, DeploymentId, DeploymentEvent> make)
    {
        lock (gate) sink(make(time.GetUtcNow(), deployment));
    }
}
