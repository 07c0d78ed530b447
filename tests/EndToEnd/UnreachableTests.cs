using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>What a deployment is refused for before it begins: nothing is touched, and people are told who did not answer or who was first.</summary>
public class UnreachableTests
{
    private const int Usage = 2;
    private const int Unreachable = 5;
    private const int Refused = 6;

    private TestFleet fleet = null!;
    private string archive = null!;

    [OneTimeSetUp]
    public async Task ServeTheOldRelease()
    {
        fleet = await TestFleet.StartAsync(2, CancellationToken.None);
        await fleet.ServesAsync("1.0.0", CancellationToken.None);
        archive = await DemoRelease.BuildAsync("1.4.0", fleet.Directory, CancellationToken.None);
    }

    [SetUp]
    public void WriteManifest() => fleet.WriteManifest();

    [OneTimeTearDown]
    public async Task TakeDown() => await fleet.DisposeAsync();

    [Test]
    [CancelAfter(60_000)]
    public async Task An_agent_that_does_not_answer_is_named_and_nothing_is_touched(CancellationToken cancellation)
    {
        var host = fleet.Hosts[1];
        await host.KillAgentAsync();
        var refused = await fleet.DecantAsync(cancellation, "deploy", archive);
        await host.StartAgentAsync(cancellation);

        Assert.That(refused.ExitCode, Is.EqualTo(Unreachable), refused.Everything);
        Assert.That(refused.Errors, Does.Contain("web2").And.Contain($"127.0.0.1:{host.AgentPort}").And.Contain("next:"));
        await AssertUntouchedAsync(cancellation);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_balancer_that_does_not_answer_is_named_and_nothing_is_touched(CancellationToken cancellation)
    {
        var moved = $"{fleet.Balancer.Socket}.moved";
        File.Move(fleet.Balancer.Socket, moved);
        CommandResult refused;
        try
        {
            refused = await fleet.DecantAsync(cancellation, "deploy", archive);
        }
        finally
        {
            File.Move(moved, fleet.Balancer.Socket);
        }

        Assert.That(refused.ExitCode, Is.EqualTo(Unreachable), refused.Everything);
        Assert.That(refused.Errors, Does.Contain("balancer edge").And.Contain(fleet.Balancer.Socket).And.Contain("next:"));
        await AssertUntouchedAsync(cancellation);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_member_that_the_balancer_does_not_have_is_named_with_those_that_it_has(CancellationToken cancellation)
    {
        fleet.ChangeManifest("backend: demo", "backend: demo, member: \"app-{host}\"");

        var refused = await fleet.DecantAsync(cancellation, "deploy", archive);

        Assert.That(refused.ExitCode, Is.EqualTo(Usage), refused.Everything);
        Assert.That(refused.Errors, Does.Contain("balancer edge: backend demo has no member app-web1; it has web1, web2").And.Contain("correct `member`"));
        await AssertUntouchedAsync(cancellation);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_backend_that_the_balancer_does_not_have_is_named_with_those_that_it_has(CancellationToken cancellation)
    {
        fleet.ChangeManifest("backend: demo", "backend: shop");

        var refused = await fleet.DecantAsync(cancellation, "deploy", archive);

        Assert.That(refused.ExitCode, Is.EqualTo(Usage), refused.Everything);
        Assert.That(refused.Errors, Does.Contain("balancer edge").And.Contain("shop").And.Contain("demo"));
        await AssertUntouchedAsync(cancellation);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_second_controller_is_refused_and_told_who_deploys(CancellationToken cancellation)
    {
        var slow = await DemoRelease.BuildAsync("2.0.0", fleet.Directory, cancellation, "--migrations", "4", "--misbehave", "slow_migration");
        await using var first = fleet.StartDecant("deploy", slow, "--json");
        await first.WaitForLineAsync("\"output\":\"migrating to 2.0.0", cancellation);

        var second = await fleet.DecantAsync(cancellation, "deploy", archive);
        await first.SignalAsync("INT");
        await first.WaitForExitAsync(cancellation);

        Assert.That(second.ExitCode, Is.EqualTo(Refused), second.Everything);
        Assert.That(second.Errors, Does.Contain($"pid {first.Pid}, deploying demo 2.0.0 since"));
        await AssertUntouchedAsync(cancellation);
    }

    private async Task AssertUntouchedAsync(CancellationToken cancellation)
        => Assert.That(await fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { "1.0.0", "1.0.0" }));
}
