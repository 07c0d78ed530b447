using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Decant.Certificates;
using Decant.EndToEnd.Harness;
using Decant.V1;

namespace Decant.EndToEnd;

/// <summary>Certificates that are renewed, and revoked, while the agent runs.</summary>
public class RotationTests
{
    private TlsAgent agent = null!;
    private string identity = "";

    [OneTimeSetUp]
    public async Task EnrolAgent()
    {
        agent = await TlsAgent.StartAsync(CancellationToken.None, enrolled: false);
        identity = Path.Combine(agent.Directory, "mine");
        await DoneAsync("ca", "init");
        await using var enrolling = RunningProgram.Start(Programs.Decant, ["host", "enroll", $"web1=127.0.0.1:{agent.Port}", "--identity", identity]);
        var line = await enrolling.WaitForLineAsync("sudo decantd join", CancellationToken.None);
        var joined = await CommandResult.RunAsync(Programs.Decantd, ["join", line.Split(' ')[^1], "--config", agent.ConfigurationFile], CancellationToken.None);
        Assert.That(joined.ExitCode, Is.Zero, joined.Everything);
        await enrolling.WaitForExitAsync(CancellationToken.None);
        await File.WriteAllTextAsync(Path.Combine(agent.Directory, "decant.yml"), $"app: demo\nhosts:\n  web1: {{ agent: \"127.0.0.1:{agent.Port}\", port: 4000 }}\nbalancers: {{}}\n");
    }

    [OneTimeTearDown]
    public async Task StopAgent() => await agent.DisposeAsync();

    [Test]
    [CancelAfter(60_000)]
    public async Task Any_command_renews_what_is_two_thirds_through_its_life_on_both_sides_and_nothing_is_restarted(CancellationToken cancellation)
    {
        using var before = await ShownAsync(cancellation);
        using var ca = await CaAsync(cancellation);
        using var channel = agent.Connect(Mine(), trusted: ca);
        using var followed = new Operations.OperationsClient(channel).WatchOperations(new WatchOperationsRequest(), cancellationToken: cancellation);
        var pid = agent.Agent.Pid;
        Age("web1", Path.Combine(identity, "ca", "issued", $"{CertificateId.Of(before).Serial}.pem"));
        Age("operator", Path.Combine(identity, "operator.pem"));
        var own = await File.ReadAllTextAsync(Path.Combine(identity, "operator.pem"), cancellation);

        var hosts = await DoneAsync("hosts");
        var again = await DoneAsync("hosts");

        using var after = await ShownAsync(cancellation);
        Assert.Multiple(() =>
        {
            Assert.That(hosts.Errors, Does.Contain("web1: has a new certificate, valid until"));
            Assert.That(again.Errors, Does.Not.Contain("certificate"));
            Assert.That(after.SerialNumber, Is.Not.EqualTo(before.SerialNumber));
            Assert.That(after.GetPublicKeyString(), Is.Not.EqualTo(before.GetPublicKeyString()), "its key is new, too");
            Assert.That((agent.Agent.Pid, agent.Agent.HasExited), Is.EqualTo((pid, false)));
            Assert.That(File.ReadAllText(Path.Combine(identity, "operator.pem")), Is.Not.EqualTo(own));
        });

        // The stream that was open goes on.
        await AgentClient.ResultAsync(
            new Instances.InstancesClient(channel).Retire(new RetireRequest { Operation = AgentClient.NewOperation(), App = "demo", Slot = "main" }, cancellationToken: cancellation),
            cancellation);
        Assert.That(await followed.ResponseStream.MoveNext(cancellation), Is.True);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_revoked_operator_is_refused_at_once_and_after_a_restart_of_the_agent(CancellationToken cancellation)
    {
        var bob = Path.Combine(agent.Directory, "bob");
        await DoneAsync("ca", "issue", "bob", "--role", "admin", "--out", bob);
        Assert.That((await DecantAsync(bob, "hosts")).ExitCode, Is.Zero);

        var revoked = await DoneAsync("ca", "revoke", "bob");
        var refused = await DecantAsync(bob, "hosts");
        await agent.RestartAsync(cancellation);
        var still = await DecantAsync(bob, "hosts");
        var twice = await DecantAsync(identity, "ca", "revoke", "bob");
        var own = await DecantAsync(identity, "ca", "revoke", Environment.UserName);
        var list = await DoneAsync("ca", "list");

        Assert.Multiple(() =>
        {
            Assert.That(revoked.Output, Does.Contain("bob: certificate ").And.Contain("web1: knows what was revoked"));
            Assert.That((refused.ExitCode, still.ExitCode), Is.EqualTo((6, 6)), refused.Everything + still.Everything);
            Assert.That(still.Errors, Does.Contain("the certificate of CN=bob").And.Contain("was revoked"));
            Assert.That((twice.ExitCode, own.ExitCode), Is.EqualTo((2, 2)), twice.Everything + own.Everything);
            Assert.That(own.Errors, Does.Contain("that is the certificate that you use now"));
            Assert.That(list.Output, Does.Match("bob +admin +[-0-9]+ +revoked").And.Match("web1 +host +[-0-9]+ +valid"));
        });
        Assert.That((await DoneAsync("hosts")).ExitCode, Is.Zero);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task An_agent_that_could_not_be_told_is_told_by_the_next_command(CancellationToken cancellation)
    {
        var carol = Path.Combine(agent.Directory, "carol");
        await DoneAsync("ca", "issue", "carol", "--role", "observer", "--out", carol);
        await agent.Agent.SignalAsync("STOP");
        var revoking = DecantAsync(identity, "ca", "revoke", "carol");
        var revoked = await revoking;
        await agent.Agent.SignalAsync("CONT");

        var next = await DoneAsync("hosts");
        var refused = await DecantAsync(carol, "hosts");

        Assert.Multiple(() =>
        {
            Assert.That(revoked.ExitCode, Is.Not.Zero, revoked.Everything);
            Assert.That(revoked.Errors, Does.Contain("web1: ").And.Contain("`decant ca renew` tries again"));
            Assert.That(next.Errors, Does.Contain("web1: knows what was revoked"));
            Assert.That(refused.ExitCode, Is.EqualTo(6), refused.Everything);
        });
    }

    /// <summary>Makes a certificate of the CA as it would be at the end of its life: the same names and key, and almost over.</summary>
    private void Age(string what, string file)
    {
        using var ca = X509Certificate2.CreateFromPemFile(Path.Combine(identity, "ca", "ca.pem"), Path.Combine(identity, "ca", "ca.key"));
        using var young = X509Certificate2.CreateFromPem(File.ReadAllText(file));
        var request = new CertificateRequest(young.SubjectName, young.PublicKey, HashAlgorithmName.SHA256);
        foreach (var extension in young.Extensions) request.CertificateExtensions.Add(extension);
        // The CA itself is not older than a moment.
        using var old = request.Create(ca, ca.NotBefore, DateTimeOffset.UtcNow.AddMinutes(2), young.SerialNumberBytes.Span);
        Assert.That(old.NotAfter - old.NotBefore, Is.GreaterThan(TimeSpan.FromMinutes(6)), what);
        File.WriteAllText(file, old.ExportCertificatePem());
    }

    private async Task<X509Certificate2> CaAsync(CancellationToken cancellation)
        => X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(Path.Combine(identity, "ca.pem"), cancellation));

    private X509Certificate2 Mine() => X509Certificate2.CreateFromPemFile(Path.Combine(identity, "operator.pem"), Path.Combine(identity, "operator.key"));

    private async Task<X509Certificate2> ShownAsync(CancellationToken cancellation)
    {
        using var ca = await CaAsync(cancellation);
        using var channel = agent.Connect(Mine(), trusted: ca);
        var shown = await new V1.Certificates.CertificatesClient(channel).GetCertificateAsync(new GetCertificateRequest(), cancellationToken: cancellation);
        return X509Certificate2.CreateFromPem(shown.Certificate);
    }

    private async Task<CommandResult> DoneAsync(params string[] arguments)
    {
        var result = await DecantAsync(identity, arguments);
        return result.ExitCode == 0 ? result : throw new TestException(result.Everything);
    }

    private Task<CommandResult> DecantAsync(string who, params string[] arguments) => CommandResult.RunAsync(
        Programs.Decant,
        [.. arguments, "--identity", who],
        CancellationToken.None,
        new Dictionary<string, string> { ["DECANT_STATE_DIR"] = Path.Combine(agent.Directory, "state") },
        agent.Directory);
}
