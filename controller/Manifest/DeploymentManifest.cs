using Decant.Names;

namespace Decant.Controller.Manifest;

/// <summary><c>decant.yml</c>, read and valid: the app, its hosts, balancers, health, migrations and strategy.</summary>
/// <param name="App">The app.</param>
/// <param name="Hosts">In the order of the file, which is the order in which they are cut over; at least one.</param>
/// <param name="Balancers">What sends traffic to the hosts; every one is drained before an instance is stopped. May be empty.</param>
/// <param name="Health">How an instance is found healthy.</param>
/// <param name="Migrations">What is run once from the new release while the old one serves; null: nothing.</param>
/// <param name="Strategy">Waves and their deadlines.</param>
/// <param name="KeepReleases">How many releases stay on each host, at least 2.</param>
public sealed record DeploymentManifest(
    AppName App,
    IReadOnlyList<ManifestHost> Hosts,
    IReadOnlyList<ManifestBalancer> Balancers,
    HealthPolicy Health,
    MigrationPolicy? Migrations,
    DeploymentStrategy Strategy,
    int KeepReleases);
