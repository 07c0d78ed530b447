using Decant.Agent.Configuration;
using Decant.Agent.Elixir;
using Decant.Agent.Health;
using Decant.Agent.Releases;
using Decant.Agent.Supervision;

namespace Decant.Agent.Instances;

/// <summary>What every slot works with.</summary>
/// <param name="Supervisor">Keeps the processes.</param>
/// <param name="Releases">Where releases are.</param>
/// <param name="Script">Speaks to them.</param>
/// <param name="Epmd">The port mapper.</param>
/// <param name="Prober">Asks for health.</param>
/// <param name="Store">On disk.</param>
/// <param name="CrashDumps">That VMs leave.</param>
/// <param name="Restart">Back-off.</param>
/// <param name="Time">The clock.</param>
internal sealed record InstanceParts(
    ISupervisor Supervisor,
    ReleaseStore Releases,
    ReleaseScript Script,
    Epmd Epmd,
    HealthProber Prober,
    InstanceStore Store,
    CrashDumps CrashDumps,
    RestartSettings Restart,
    TimeProvider Time);
