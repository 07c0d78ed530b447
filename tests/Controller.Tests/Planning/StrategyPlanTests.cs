using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using static Decant.Controller.Tests.Planning.Fleets;

namespace Decant.Controller.Tests.Planning;

/// <summary>Plans of every strategy, as people read them: the files in Golden are what was agreed on.</summary>
public class StrategyPlanTests
{
    private static readonly Dictionary<string, Func<int, DeploymentManifest>> Strategies = new()
    {
        ["rolling-switch"] = hosts => TwoSlotsOf(hosts, "type: rolling"),
        ["blue-green"] = hosts => TwoSlotsOf(hosts, "type: blue-green, keep_old: 30m", "migrations: { run: Shop.Release.migrate() }"),
        ["canary-weight"] = hosts => TwoSlotsOf(hosts, "type: canary, batch: 50%, canary: { weight: 10%, promote: manual }"),
        ["canary"] = hosts => ManifestOf(hosts, strategy: "type: canary, batch: 25%, min_in_rotation: 50%, canary: { hosts: 10%, bake: 15m }"),
        ["recreate"] = hosts => ManifestOf(hosts, strategy: "type: recreate"),
    };

    private static IEnumerable<object[]> Plans() => from strategy in Strategies.Keys from hosts in new[] { 1, 3, 40 } where (strategy, hosts) != ("canary", 1) select new object[] { strategy, hosts };

    [TestCaseSource(nameof(Plans))]
    public void A_strategys_plan_reads_as_it_was_agreed_on(string strategy, int hosts)
    {
        var manifest = Strategies[strategy](hosts);
        var file = Path.Combine(TestContext.CurrentContext.TestDirectory, "Planning", "Golden", $"{strategy}-{hosts}.txt");

        var text = string.Join('\n', PlanText.Of(Made(Planner.MakeDeployment(manifest, All(manifest, Serving), New)))) + "\n";

        Assert.That(text, Is.EqualTo(File.Exists(file) ? File.ReadAllText(file) : ""), $"{file} is what was agreed on; this is what is planned now:\n{text}");
    }
}
