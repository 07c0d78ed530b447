using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>A release is to run everywhere.</summary>
/// <param name="Source">The manifest's text, kept with the deployment.</param>
/// <param name="Manifest">The same, read.</param>
/// <param name="Release">What is to run.</param>
/// <param name="Archive">Where to send it from; null when it is staged on every host already.</param>
/// <param name="Again">Also when it failed a deployment before.</param>
/// <param name="Now">Also outside of the maintenance window.</param>
/// <param name="Only">On these hosts alone; null: on all.</param>
/// <param name="OnlyFailed">On hosts alone that the last deployment failed on.</param>
internal sealed record DeployRequest(
    ManifestSource Source,
    DeploymentManifest Manifest,
    ReleaseId Release,
    ArchiveFile? Archive,
    bool Again,
    bool Now = false,
    IReadOnlyList<HostName>? Only = null,
    bool OnlyFailed = false);

/// <summary>Hosts are to go back to what they ran before.</summary>
/// <param name="Source">The manifest's text, kept with the deployment.</param>
/// <param name="Manifest">The same, read.</param>
/// <param name="To">Version that every host goes to; null: see <see cref="WayBack"/>.</param>
/// <param name="Down">Run the manifest's down-migration when every host is back.</param>
internal sealed record RollbackRequest(ManifestSource Source, DeploymentManifest Manifest, ReleaseVersion? To, bool Down = false);

/// <summary>What is not as it should be is to be made so.</summary>
/// <param name="Source">The manifest's text, kept with the deployment.</param>
/// <param name="Manifest">The same, read.</param>
/// <param name="Agreed">The plan that the operator agreed to; null: any.</param>
internal sealed record RepairRequest(ManifestSource Source, DeploymentManifest Manifest, Plan? Agreed);
