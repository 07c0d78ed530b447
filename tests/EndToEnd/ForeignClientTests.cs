using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

public class ForeignClientTests
{
    [Test]
    [CancelAfter(180_000)]
    public async Task A_client_in_another_language_deploys_to_one_agent_by_the_protos_alone(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(1, cancellation);
        var host = fleet.Hosts[0];
        var archive = await DemoRelease.BuildAsync("1.0.0", fleet.Directory, cancellation);
        var stubs = await PythonStubs.GenerateAsync(fleet.Directory, cancellation);

        var result = await CommandResult.RunAsync(
            "/usr/bin/python3",
            [
                Path.Combine(Programs.Repository, "tests", "EndToEnd", "foreign_client.py"),
                stubs, $"127.0.0.1:{host.AgentPort}", "demo", "1.0.0", archive, $"{host.AppPort}", $"demo-{host.AppPort}@127.0.0.1",
            ],
            cancellation);

        Assert.That(result.ExitCode, Is.Zero, $"{result.Everything}\n{fleet.AgentLogs()}");
        Assert.That(result.Output, Does.Contain("foreign client: ok"));
    }
}
