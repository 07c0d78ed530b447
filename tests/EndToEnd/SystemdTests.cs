using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

public class SystemdTests
{
    [Test]
    [CancelAfter(120_000)]
    public async Task Systemd_is_told_when_the_agent_is_ready_alive_and_stopping_and_the_journal_gets_lines_with_priorities(CancellationToken cancellation)
    {
        await using var agent = LoneAgent.Prepare();
        using var systemd = new NotifySocket(agent.Directory);

        await agent.Host.StartAgentUnderSystemdAsync(systemd.Path, TimeSpan.FromMilliseconds(400), cancellation);
        await systemd.SeenAsync("WATCHDOG=1", 3, cancellation);
        await agent.Host.Agent.SignalAsync("TERM");
        var exitCode = await agent.Host.Agent.WaitForExitAsync(cancellation);
        await systemd.SeenAsync("STOPPING=1", 1, cancellation);

        var messages = systemd.Messages.ToList();
        Assert.Multiple(() =>
        {
            Assert.That(exitCode, Is.Zero);
            Assert.That(messages.Count(m => m == "READY=1"), Is.EqualTo(1));
            Assert.That(messages.Count(m => m == "STOPPING=1"), Is.EqualTo(1));
            Assert.That(messages.IndexOf("READY=1"), Is.LessThan(messages.IndexOf("STOPPING=1")));
        });
        var lines = agent.Host.Agent.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Is.All.Match("^<[2-7]>"));
        Assert.That(lines, Has.Some.Match(@"^<6>\[web1\] Decant\.Agent\.Hosting\.AgentLifetime: agent is ready: host web1"));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Systemd_finds_nothing_wrong_with_the_units(CancellationToken cancellation)
    {
        var directory = Directory.CreateTempSubdirectory("decant-e2e-");
        try
        {
            // The program is not installed where the tests run; everything else is as it is shipped.
            var units = new List<string>();
            foreach (var shipped in Directory.EnumerateFiles(Path.Combine(Programs.Repository, "packaging", "systemd")))
            {
                var text = await File.ReadAllTextAsync(shipped, cancellation);
                units.Add(Path.Combine(directory.FullName, Path.GetFileName(shipped)));
                await File.WriteAllTextAsync(units[^1], text.Replace("/usr/bin/decantd", Programs.Decantd, StringComparison.Ordinal), cancellation);
            }

            var result = await CommandResult.RunAsync("/usr/bin/systemd-analyze", ["verify", "--man=no", .. units], cancellation);

            Assert.That(units, Has.Count.EqualTo(6));
            Assert.That(result.ExitCode, Is.Zero, result.Everything);
            // It also loads what is installed on this machine, and may complain of that.
            Assert.That(result.Errors.Split('\n').Where(l => l.Contains("decant", StringComparison.Ordinal)), Is.Empty);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
