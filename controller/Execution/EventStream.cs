using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>Delivers a deployment's events in order, one at a time, stamped with the time.</summary>
internal sealed class EventStream(DeploymentId deployment, TimeProvider time, Action<DeploymentEvent> sink)
{
    private readonly Lock gate = new();

    /// <summary>Makes an event of the time and the deployment, and delivers it.</summary>
    /// <param name="make">Takes no lock: callers hold locks of their own, and one that waited here for another's would wait for ever.</param>
    public void Tell(Func<DateTimeOffset, DeploymentId, DeploymentEvent> make)
    {
        lock (gate) sink(make(time.GetUtcNow(), deployment));
    }
}
