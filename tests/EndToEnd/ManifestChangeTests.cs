using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>What is otherwise a ritual: other slots, other ports, hosts that come and go. Each is a deployment like any other.</summary>
public class ManifestChangeTests
{
    [Test]
    [CancelAfter(240_000)]
    public async Task From_one_slot_to_two_to_other_ports_and_back_and_hosts_that_come_and_go_are_deployments_that_fail_no_request(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(2, cancellation, FrontKind.Embedded, twoSlots: true);
        using var more = new FreePorts();
        var others = fleet.Hosts.ToDictionary(h => h.Name, _ => (Blue: more.Next(), Green: more.Next()));
        var archive = await DemoRelease.BuildAsync("1.0.0", fleet.Directory, cancellation);
        await DeployAsync(hosts: 1, OneSlot);

        var report = await fleet.UnderLoadAsync(
            async load =>
            {
                load.Mark("a second host");
                await DeployAsync(hosts: 2, OneSlot);
                load.Mark("two slots");
                await DeployAsync(hosts: 2, h => TestFleet.TwoSlots(h, h.AppPort, h.SecondPort));
                load.Mark("other ports");
                await DeployAsync(hosts: 2, h => TestFleet.TwoSlots(h, others[h.Name].Blue, others[h.Name].Green));
                load.Mark("one slot");
                await DeployAsync(hosts: 2, OneSlot);
                load.Mark("a host less");
                await DeployAsync(hosts: 1, OneSlot);
                load.Mark("after");
            },
            cancellation);

        var status = await fleet.DecantAsync(cancellation, "status", "--json");
        Assert.That(report.Failed, Is.Zero, $"{report}");
        Assert.That(report.Repeated, Is.Zero, $"{report}");
        Assert.That(status.Output, Does.Contain("\"host\":\"web1\",\"slot\":\"main\"").And.Contain("\"state\":\"running\"").And.Not.Contain("blue"), status.Everything);
        Assert.That(LeftProcesses.Find(fleet.Hosts[1].Directory).Any(pid => Runs(pid, "beam")), Is.False, "nothing of the app is left on the host that went");

        static string OneSlot(TestHost host) => TestFleet.OneSlot(host, host.AppPort);

        async Task DeployAsync(int hosts, Func<TestHost, string> slots)
        {
            // What is kept warm in a slot that the manifest has no more goes as well.
            fleet.WriteManifest("keep_old: 0s", hosts: hosts, slots: slots);
            var result = await fleet.DecantAsync(cancellation, "deploy", archive);
            Assert.That(result.ExitCode, Is.Zero, $"{File.ReadAllText(fleet.Manifest)}\n{result.Everything}\n{fleet.AgentLogs()}");
        }
    }

    private static bool Runs(int pid, string program)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/comm").StartsWith(program, StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }
}
