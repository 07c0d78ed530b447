using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>Runs the manifest's down-migration, once for the rollback, from the release that no host serves any more: it alone knows how.</summary>
/// <param name="At">The host that runs it.</param>
/// <param name="App">The app.</param>
/// <param name="Release">The release that the hosts have gone back from.</param>
/// <param name="Expression">Elixir expression for <c>bin/app eval</c>.</param>
/// <param name="Timeout">Deadline.</param>
public sealed record MigrateDownStep(ManifestHost At, AppName App, ReleaseId Release, string Expression, TimeSpan Timeout) : HostStep(At, App)
{
    /// <inheritdoc/>
    public override string Verb => "migrate-down";

    /// <inheritdoc/>
    public override string Describe() => $"run the down-migration once, from {App} {Release} on {Host}: {Expression}";
}
