using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>The smallest unit of a plan that runs, is journaled, and can be undone or repeated safely.</summary>
/// <param name="Host">The host that the step is about (for balancer steps: the host whose member is moved).</param>
/// <param name="Agent">The agent that does it (for balancer steps: the balancer's).</param>
public abstract record Step(HostName Host, AgentAddress Agent)
{
    /// <summary>Short verb for progress lines and operation ids: <c>stage</c>, <c>drain</c>, …</summary>
    public abstract string Verb { get; }

    /// <summary>One line for people: <c>drain web1 at edge/shop (deadline 30 s)</c>.</summary>
    public abstract string Describe();

    /// <summary>Unique within a plan: host and verb, then the balancer where there is one, and the slot where it is not the usual one.</summary>
    public virtual string Key => $"{Host}/{Verb}";

    /// <summary>The hosts that it is about: more than one where traffic moves together.</summary>
    public virtual IReadOnlyList<HostName> Hosts => [Host];

    /// <summary>Members that get no new requests any more by this step.</summary>
    public virtual IReadOnlyList<MemberSeat> TakesOut => [];

    /// <summary>Members that take requests by this step.</summary>
    public virtual IReadOnlyList<MemberSeat> PutsIn => [];

    /// <summary>A slot's part of a key, which the usual slot does not have.</summary>
    protected static string Suffix(SlotName slot) => slot?.Value == ManifestDefaults.Slot ? "" : $"/{slot}";
}

/// <summary>An instance's place at a balancer.</summary>
/// <param name="Balancer">The balancer's key in the manifest.</param>
/// <param name="Host">The instance's host.</param>
/// <param name="Slot">Its slot.</param>
public sealed record MemberSeat(HostName Balancer, HostName Host, SlotName Slot);

/// <summary>A step that an app's own host does.</summary>
/// <param name="At">The host, with the slot that the step is about.</param>
/// <param name="App">The app.</param>
public abstract record HostStep(ManifestHost At, AppName App) : Step(At.Name, At.Agent);

/// <summary>A step about what runs in one slot of a host.</summary>
public abstract record SlotStep(ManifestHost At, AppName App) : HostStep(At, App)
{
    /// <inheritdoc/>
    public override string Key => $"{Host}/{Verb}{Suffix(At.Slot.Name)}";

    /// <summary>The host, and the slot where it is not the usual one.</summary>
    protected string Where => At.Slot.Name.Value == ManifestDefaults.Slot ? Host.Value : $"{Host} ({At.Slot.Name})";
}

/// <summary>Uploads the release, where it is not there yet, and unpacks it beside the one that serves.</summary>
public sealed record StageStep(ManifestHost At, AppName App, ReleaseId Release) : HostStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "stage";

    /// <inheritdoc/>
    public override string Describe() => $"stage {App} {Release} on {Host}";
}

/// <summary>Looks for everything that can be found wrong before anything is stopped.</summary>
/// <param name="At">The host, with the slot that the release goes to.</param>
/// <param name="App">The app.</param>
/// <param name="Release">The release.</param>
/// <param name="PortIsFreed">What holds the slot's port now is stopped before it is needed.</param>
public sealed record PreflightStep(ManifestHost At, AppName App, ReleaseId Release, bool PortIsFreed = false) : HostStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "preflight";

    /// <inheritdoc/>
    public override string Describe() => $"preflight {App} {Release} on {Host}";
}

/// <summary>Runs the migration, once for the deployment, from the new release while the old one serves.</summary>
public sealed record MigrateStep(ManifestHost At, AppName App, ReleaseId Release, MigrationPolicy Migration) : HostStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "migrate";

    /// <inheritdoc/>
    public override string Describe() => $"migrate once, from {App} {Release} on {Host}: {Migration.Expression}";
}

/// <summary>Keeps an instance that has no traffic any more warm for a while, then stops it.</summary>
/// <param name="At">The host, with the instance's slot.</param>
/// <param name="App">The app.</param>
/// <param name="Running">What runs there.</param>
/// <param name="Keep">How long it is kept.</param>
/// <param name="StopTimeout">How long it may then take to stop by itself.</param>
/// <param name="TermTimeout">How long after SIGTERM.</param>
public sealed record RetireStep(ManifestHost At, AppName App, ReleaseId Running, TimeSpan Keep, TimeSpan StopTimeout, TimeSpan TermTimeout) : SlotStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "retire";

    /// <inheritdoc/>
    public override string Describe() => $"retire {App} {Running} on {Where} after {DurationText.Format(Keep)}";
}

/// <summary>Calls off that an instance is stopped after a while. One that was stopped since it was seen is started again.</summary>
/// <param name="At">The host, with the instance's slot.</param>
/// <param name="App">The app.</param>
/// <param name="Running">What runs there.</param>
/// <param name="Health">Its health check.</param>
public sealed record KeepStep(ManifestHost At, AppName App, ReleaseId Running, HealthPolicy Health) : SlotStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "keep";

    /// <inheritdoc/>
    public override string Describe() => $"keep {App} {Running} on {Where}, which was to be retired";
}

/// <summary>Stops what runs in the slot and waits until its process is gone.</summary>
/// <param name="At">The host.</param>
/// <param name="App">The app.</param>
/// <param name="Running">What is expected to run there; null when unknown.</param>
/// <param name="StopTimeout">How long it may take to stop by itself.</param>
/// <param name="TermTimeout">How long after SIGTERM.</param>
/// <param name="GoneBackFrom">The host goes back from what runs there: no rollback is to go to that again.</param>
public sealed record StopStep(
    ManifestHost At, AppName App, ReleaseId? Running, TimeSpan StopTimeout, TimeSpan TermTimeout, bool GoneBackFrom = false) : SlotStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "stop";

    /// <inheritdoc/>
    public override string Describe() => $"stop {App}{(Running is null ? "" : $" {Running}")} on {Where}";
}

/// <summary>Starts the release in the slot.</summary>
public sealed record StartStep(ManifestHost At, AppName App, ReleaseId Release, HealthPolicy Health) : SlotStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "start";

    /// <inheritdoc/>
    public override string Describe() => $"start {App} {Release} on {Where}, port {At.Slot.Port}";
}

/// <summary>Waits until the instance is healthy, stays healthy, and is verified to be the wanted release.</summary>
public sealed record AwaitHealthyStep(
    ManifestHost At, AppName App, ReleaseId Release, HealthPolicy Health, TimeSpan Deadline, TimeSpan MinHealthy) : SlotStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "await-healthy";

    /// <inheritdoc/>
    public override string Describe()
        => $"wait until {App} {Release} on {Where} is healthy (at most {Deadline.TotalSeconds:0.###} s) and stays so for {MinHealthy.TotalSeconds:0.###} s";
}

/// <summary>Deletes releases over the limit; never one in use or the last good one.</summary>
public sealed record PruneStep(ManifestHost At, AppName App, int Keep) : HostStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "prune";

    /// <inheritdoc/>
    public override string Describe() => $"keep {Keep} releases of {App} on {Host}";
}
