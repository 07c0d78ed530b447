using System.Text.Json;
using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Controller.Tests.Execution;

namespace Decant.Controller.Tests.Console;

public class DeploymentEventJsonTests
{
    [Test]
    public void Every_event_is_one_line_of_json_with_its_name_and_deployment()
    {
        using var simulation = new Execution.Simulation(
            seed: 1, faults: (step, operation) => step.Key == "web2/start" && !Execution.Simulation.IsRollback(operation) ? Fault.Fails : Fault.None);
        simulation.Deploy();

        var lines = simulation.Events.Select(DeploymentEventJson.Write).ToList();

        Assert.Multiple(() =>
        {
            Assert.That(lines, Has.All.StartWith("{\"event\":\"").And.All.Not.Contain("\n"));
            Assert.That(lines[0], Does.StartWith("{\"event\":\"plan_made\"").And.Contain("\"waves\":[{\"number\":1"));
            Assert.That(lines, Has.Some.Contains("\"event\":\"host_failed\"").And.Some.Contains("\"what_next\":\"do better\""));
            Assert.That(lines[^1], Does.Contain("\"event\":\"deployment_ended\"").And.Contain("\"status\":\"rolled_back\"").And.Contain("\"exit_code\":3"));
        });
    }

    [Test]
    public void A_plan_has_the_same_form_by_itself_and_in_the_first_event()
    {
        using var simulation = new Execution.Simulation(seed: 1);
        simulation.Deploy();
        var made = (PlanMade)simulation.Events[0];

        using var alone = JsonDocument.Parse(DeploymentEventJson.Write(made.Plan));
        using var inEvent = JsonDocument.Parse(DeploymentEventJson.Write(made));

        Assert.Multiple(() =>
        {
            Assert.That(inEvent.RootElement.GetProperty("plan").GetRawText(), Is.EqualTo(alone.RootElement.GetRawText()));
            Assert.That(alone.RootElement.GetProperty("release").GetProperty("version").GetString(), Is.EqualTo("2.0.0"));
            Assert.That(alone.RootElement.GetProperty("waves")[0].GetProperty("hosts")[0].GetProperty("steps")[0].GetProperty("verb").GetString(), Is.EqualTo("drain").Or.EqualTo("stop"));
        });
    }
}
