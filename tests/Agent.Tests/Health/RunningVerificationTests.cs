using System.Diagnostics;
using Decant.Agent.Health;
using Decant.Agent.Instances;
using Decant.Agent.Supervision;
using Decant.Agent.Tests.Instances;

namespace Decant.Agent.Tests.Health;

[Parallelizable(ParallelScope.Self)]
public class RunningVerificationTests
{
    [Test]
    [CancelAfter(60_000)]
    public async Task Without_distribution_a_process_that_is_still_the_releases_script_is_waited_for(CancellationToken cancellation)
    {
        await using var host = await AgentHost.CreateAsync();
        // As bin/demo does it: the variables are there from the exec on, not before.
        var script = $"read go; export RELEASE_VSN=1.0.0 RELEASE_ROOT={host.One.Root}; exec sleep 600";
        using var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", script]) { RedirectStandardInput = true })!;
        try
        {
            using var run = new InstanceRun(
                new ScriptedSupervisor.Scripted(host.One.Id, 1, DateTimeOffset.UtcNow) { Identity = ProcessIdentity.Of(process.Id)! }, TimeProvider.System, adoptedAt: null);
            var target = AgentHost.Target("main", host.Spec("demo-main@127.0.0.1") with { Distribution = false }, host.One);
            var verification = new RunningVerification(host.Script, host.Epmd, TimeProvider.System);

            // Its first look comes before it gives control back.
            var verifying = verification.VerifyAsync(target, run, cancellation);
            var early = verifying.IsCompleted;
            await process.StandardInput.WriteLineAsync("go");
            process.StandardInput.Close();

            Assert.That((early, (await verifying).Version), Is.EqualTo((false, "1.0.0")));
        }
        finally
        {
            process.Kill();
        }
    }
}
