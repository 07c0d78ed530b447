using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using static Decant.Controller.Tests.Planning.Fleets;

namespace Decant.Controller.Tests.Planning;

/// <summary>Plans of every strategy, as people read them.</summary>
public class StrategyPlanTests
{
    private static IEnumerable<TestCaseData> Plans()
    {
        foreach (var hosts in new[] { 1, 3, 40 })
        {
            yield return Case("rolling-switch", TwoSlotsOf(hosts, "type: rolling"));
            yield return Case("blue-green", TwoSlotsOf(hosts, "type: blue-green, keep_old: 30m", "migrations: { run: Shop.Release.migrate() }"));
            yield return Case("canary-weight", TwoSlotsOf(hosts, "type: canary, batch: 50%, canary: { weight: 10%, promote: manual }"));
            if (hosts > 1) yield return Case("canary", ManifestOf(hosts, strategy: "type: canary, batch: 25%, min_in_rotation: 50%, canary: { hosts: 10%, bake: 15m }"));
            yield return Case("recreate", ManifestOf(hosts, strategy: "type: recreate"));
        }

        static TestCaseData Case(string name, DeploymentManifest manifest) => new(name, manifest);
    }

    [TestCaseSource(nameof(Plans))]
    public void A_strategys_plan_reads_as_it_was_agreed_on(string name, DeploymentManifest manifest)
    {
        var text = string.Join('\n', PlanText.Of(Made(Planner.MakeDeployment(manifest, All(manifest, Serving), New)))) + "\n";
        var file = Path.Combine(TestContext.CurrentContext.TestDirectory, "Planning", "Golden", $"{name}-{manifest.Hosts.Count}.txt");

        Assert.That(text, Is.EqualTo(File.Exists(file) ? File.ReadAllText(file) : ""), $"{file} is what was agreed on; this is what is planned now:\n{text}");
    }
}
