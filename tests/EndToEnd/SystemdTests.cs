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

    /// <summary>What systemd thinks of each sandbox, of 10 for none at all: at most 2.0 for what is ours, 4.0 for apps.</summary>
    [TestCase("decantd.service", 2.0, "decantd-strict.conf")]
    [TestCase("decant-proxy.service", 2.0, null)]
    [TestCase("decant-epmd.service", 2.0, null)]
    [TestCase("decant-app@.service", 4.0, null)]
    [TestCase("decant-task@.service", 4.0, null)]
    [CancelAfter(60_000)]
    public async Task A_unit_is_exposed_no_more_than(string unit, double most, string? also, CancellationToken cancellation)
    {
        var packaging = Path.Combine(Programs.Repository, "packaging");
        var shipped = Path.Combine(packaging, "systemd", unit);
        var dropIns = Directory.Exists($"{shipped}.d") ? Directory.EnumerateFiles($"{shipped}.d") : [];
        // The sandbox of a template is shipped apart from it, and for itself already.
        var parts = new List<string> { File.Exists(shipped) ? shipped : "" };
        parts.AddRange(dropIns);
        if (also is not null) parts.Add(Path.Combine(packaging, "examples", also));
        var directory = Directory.CreateTempSubdirectory("decant-e2e-");
        try
        {
            foreach (var other in Directory.EnumerateFiles(Path.Combine(packaging, "systemd"))) File.Copy(other, Path.Combine(directory.FullName, Path.GetFileName(other)));
            var whole = Path.Combine(directory.FullName, unit);
            var text = string.Join('\n', parts.Select(p => p.Length > 0 ? File.ReadAllText(p) : "[Service]\nUser=decant-app\nExecStart=/usr/bin/decantd"));
            await File.WriteAllTextAsync(whole, text.Replace("/usr/bin/decantd", Programs.Decantd, StringComparison.Ordinal), cancellation);

            var security = await CommandResult.RunAsync(
                "/usr/bin/systemd-analyze", ["security", "--no-pager", "--offline=true", $"--threshold={most * 10:0}", whole], cancellation);
            var verified = await CommandResult.RunAsync("/usr/bin/systemd-analyze", ["verify", "--man=no", whole.Replace("@.", "@shop-blue.", StringComparison.Ordinal)], cancellation);

            Assert.That(security.ExitCode, Is.Zero, security.Everything);
            Assert.That(verified.Errors.Split('\n').Where(l => l.Contains(unit, StringComparison.Ordinal)), Is.Empty);
            TestContext.Out.WriteLine(security.Output.TrimEnd().Split('\n')[^1]);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
