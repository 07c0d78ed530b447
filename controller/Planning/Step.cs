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

    /// <summary>Unique within a plan: verb, host, and balancer where there is one.</summary>
    public virtual string Key => $"{Host}/{Verb}";
}

/// <summary>A step that an app's own host does.</summary>
public abstract record HostStep(ManifestHost At, AppName App) : Step(At.Name, At.Agent);

/// <summary>Uploads the release, where it is not there yet, and unpacks it beside the one that serves.</summary>
public sealed record StageStep(ManifestHost At, AppName App, ReleaseId Release) : HostStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "stage";

    /// <inheritdoc/>
    public override string Describe() => $"stage {App} {Release} on {Host}";
}

/// <summary>Looks for everything that can be found wrong before anything is stopped.</summary>
public sealed record PreflightStep(ManifestHost At, AppName App, ReleaseId Release) : HostStep(At, App)
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

/// <summary>Takes the host's member out of one balancer and waits for requests in flight.</summary>
/// <param name="Balancer">The balancer.</param>
/// <param name="MemberHost">The host whose member it is.</param>
/// <param name="App">The app.</param>
/// <param name="Deadline">How long requests in flight may take.</param>
/// <param name="MinOthersUp">Other members that must be up before this one is drained.</param>
public sealed record DrainStep(ManifestBalancer Balancer, HostName MemberHost, AppName App, TimeSpan Deadline, int MinOthersUp)
    : Step(MemberHost, Balancer.Agent)
{
    /// <inheritdoc/>
    public override string Verb => "drain";

    /// <inheritdoc/>
    public override string Key => $"{Host}/drain/{Balancer.Key}";

    /// <inheritdoc/>
    public override string Describe()
        => $"drain {Host} at {Balancer.Key} ({Balancer.Backend}/{Balancer.MemberOf(Host)}, at most {Deadline.TotalSeconds:0.###} s)";
}

/// <summary>Puts the host's member back into one balancer and waits until that calls it up.</summary>
public sealed record UndrainStep(ManifestBalancer Balancer, HostName MemberHost, AppName App, TimeSpan Deadline)
    : Step(MemberHost, Balancer.Agent)
{
    /// <inheritdoc/>
    public override string Verb => "undrain";

    /// <inheritdoc/>
    public override string Key => $"{Host}/undrain/{Balancer.Key}";

    /// <inheritdoc/>
    public override string Describe() => $"undrain {Host} at {Balancer.Key} ({Balancer.Backend}/{Balancer.MemberOf(Host)})";
}

/// <summary>Stops what runs in the slot and waits until its process is gone.</summary>
/// <param name="At">The host.</param>
/// <param name="App">The app.</param>
/// <param name="Running">What is expected to run there; null when unknown.</param>
/// <param name="StopTimeout">How long it may take to stop by itself.</param>
/// <param name="TermTimeout">How long after SIGTERM.</param>
public sealed record StopStep(ManifestHost At, AppName App, ReleaseId? Running, TimeSpan StopTimeout, TimeSpan TermTimeout) : HostStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "stop";

    /// <inheritdoc/>
    public override string Describe() => $"stop {App}{(Running is null ? "" : $" {Running}")} on {Host}";
}

/// <summary>Starts the release in the slot.</summary>
public sealed record StartStep(ManifestHost At, AppName App, ReleaseId Release, HealthPolicy Health) : HostStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "start";

    /// <inheritdoc/>
    public override string Describe() => $"start {App} {Release} on {Host}, port {At.Slot.Port}";
}

/// <summary>Waits until the instance is healthy, stays healthy, and is verified to be the wanted release.</summary>
public sealed record AwaitHealthyStep(
    ManifestHost At, AppName App, ReleaseId Release, HealthPolicy Health, TimeSpan Deadline, TimeSpan MinHealthy) : HostStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "await-healthy";

    /// <inheritdoc/>
    public override string Describe()
        => $"wait until {App} {Release} on {Host} is healthy (at most {Deadline.TotalSeconds:0.###} s) and stays so for {MinHealthy.TotalSeconds:0.###} s";
}

/// <summary>Deletes releases over the limit; never one in use or the last good one.</summary>
public sealed record PruneStep(ManifestHost At, AppName App, int Keep) : HostStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "prune";

    /// <inheritdoc/>
    public override string Describe() => $"keep {Keep} releases of {App} on {Host}";
}
