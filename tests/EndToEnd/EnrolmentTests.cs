using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using Decant.Certificates;
using Decant.EndToEnd.Harness;
using Decant.V1;
using Google.Protobuf;

namespace Decant.EndToEnd;

/// <summary>From a bare agent to one that takes calls over TLS, with nothing copied by hand but the token; and everything that must not work.</summary>
public partial class EnrolmentTests
{
    private TlsAgent agent = null!;
    private string identity = "";

    [SetUp]
    public async Task StartAgent()
    {
        agent = await TlsAgent.StartAsync(CancellationToken.None, enrolled: false);
        identity = Path.Combine(agent.Directory, "mine");
        var made = await DecantAsync(CancellationToken.None, "ca", "init");
        Assert.That(made.ExitCode, Is.Zero, made.Everything);
    }

    [TearDown]
    public async Task StopAgent() => await agent.DisposeAsync();

    [Test]
    [CancelAfter(60_000)]
    public async Task A_host_is_enrolled_by_a_token_once_and_takes_calls_without_a_restart(CancellationToken cancellation)
    {
        Assert.That((await HostsAsync(identity, cancellation)).Errors, Does.Contain("most likely it has no certificate yet"));
        await using var enrolling = Enroll(agent.Port);
        var token = await TokenAsync(enrolling, cancellation);
        await enrolling.WaitForLineAsync("answers; run the line there", cancellation);

        var joined = await JoinAsync(token, cancellation);
        Assert.That(joined.ExitCode, Is.Zero, joined.Everything);
        await enrolling.WaitForExitAsync(cancellation);

        Assert.That(joined.Output, Does.Contain("waiting for the controller").And.Contain("enrolled as web1: certificate "));
        Assert.That(enrolling.Output, Does.Contain("web1 is enrolled: web1, 127.0.0.1").And.Contain($"web1: {{ agent: \"127.0.0.1:{agent.Port}\" }}"));
        var hosts = await HostsAsync(identity, cancellation);
        Assert.That((hosts.ExitCode, hosts.Output.Contains("web1", StringComparison.Ordinal)), Is.EqualTo((0, true)), hosts.Everything);

        var again = await JoinAsync(token, cancellation);
        Assert.That((again.ExitCode, again.Errors), Is.EqualTo((1, "decantd: the token was used already; this host is enrolled by it; make a new one with `decant host enroll`\n")));
        foreach (var file in Directory.EnumerateFiles(agent.TlsDirectory).Concat(Directory.EnumerateFiles(identity, "*", SearchOption.AllDirectories)))
            Assert.That(File.GetUnixFileMode(file), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite), file);
        var key = (await File.ReadAllLinesAsync(Path.Combine(agent.TlsDirectory, "host.key"), cancellation))[1];
        Assert.That($"{enrolling.Output}{joined.Everything}{agent.Agent.Output}", Does.Not.Contain(key));
        Assert.That(agent.Agent.Output, Does.Not.Contain(token));

        await agent.RestartAsync(cancellation);
        Assert.That((await HostsAsync(identity, cancellation)).ExitCode, Is.Zero);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Another_operator_gets_a_certificate_with_a_role_of_its_own(CancellationToken cancellation)
    {
        await EnrolledAsync(cancellation);
        var theirs = Path.Combine(agent.Directory, "ci");

        var issued = await DecantAsync(cancellation, "ca", "issue", "ci", "--role", "deployer:shop,observer", "--out", theirs, "--days", "7");
        var twice = await DecantAsync(cancellation, "ca", "issue", "ci", "--role", "admin", "--out", theirs);
        var wrong = await DecantAsync(cancellation, "ca", "issue", "ci", "--role", "root");
        var second = await DecantAsync(cancellation, "ca", "init");
        var hosts = await HostsAsync(theirs, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(issued.Output, Does.Contain("certificate of ci: deployer:shop, observer, valid until"), issued.Everything);
            Assert.That((twice.ExitCode, twice.Errors.Contains("there is a certificate", StringComparison.Ordinal)), Is.EqualTo((2, true)), twice.Everything);
            Assert.That((wrong.ExitCode, wrong.Errors.Contains("\"root\" is not a role", StringComparison.Ordinal)), Is.EqualTo((2, true)), wrong.Everything);
            Assert.That((second.ExitCode, second.Errors.Contains("you have a certificate already", StringComparison.Ordinal)), Is.EqualTo((2, true)), second.Everything);
            Assert.That(hosts.ExitCode, Is.Zero, hosts.Everything);
        });
        using var certificate = X509Certificate2.CreateFromPemFile(Path.Combine(theirs, "operator.pem"), Path.Combine(theirs, "operator.key"));
        Assert.That(SubjectNames.Of(certificate).Uris, Is.EqualTo(new[] { "urn:decant:role:deployer:shop", "urn:decant:role:observer" }));
        using var ca = X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(Path.Combine(theirs, "ca.pem"), cancellation));
        using var channel = agent.Connect(certificate, trusted: ca);
        var refused = await AgentClient.ErrorAsync(() => AgentClient.ResultAsync(
            new Instances.InstancesClient(channel).Retire(new RetireRequest { Operation = AgentClient.NewOperation(), App = "demo", Slot = "main" }, cancellationToken: cancellation),
            cancellation));
        Assert.That((refused.Reason, refused.Facts["needs"]), Is.EqualTo(("ROLE_MISSING", "deployer:demo")));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_token_that_is_damaged_late_or_anothers_is_refused_by_name(CancellationToken cancellation)
    {
        await using var brief = RunningProgram.Start(Programs.Decant, Enrollment(agent.Port, "--valid", "1s"));
        var late = await TokenAsync(brief, cancellation);
        await brief.WaitForExitAsync(cancellation);
        var expired = await JoinAsync(late, cancellation);
        var damaged = await JoinAsync(late[..^3], cancellation);

        await using var enrolling = Enroll(agent.Port);
        var token = await TokenAsync(enrolling, cancellation);
        await using var other = Enroll(agent.Port);
        var othersToken = await TokenAsync(other, cancellation);
        await using var joining = Join(token);
        await joining.WaitForLineAsync("enrolled as web1", cancellation);
        await enrolling.WaitForExitAsync(cancellation);
        var nobody = await CommandResult.RunAsync(Programs.Decantd, ["join", othersToken, "--config", NobodysConfiguration()], cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(brief.Output, Does.Contain("error: the token of web1 expired, and nobody gave it to the agent"));
            Assert.That(expired.Errors, Does.StartWith("decantd: the token expired at ").And.Contain("decant host enroll"));
            Assert.That(damaged.Errors, Does.StartWith("decantd: this is not a token of `decant host enroll`, or not all of it"));
            Assert.That(nobody.Errors, Does.Contain("no agent answers on ").And.Contain("systemctl start decantd"));
            Assert.That((expired.ExitCode, damaged.ExitCode, nobody.ExitCode), Is.EqualTo((1, 1, 1)));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task An_agent_that_waits_for_another_controller_is_not_enrolled_by_this_one_and_both_say_so(CancellationToken cancellation)
    {
        await using var enrolling = Enroll(await NobodyAsync());
        var token = await TokenAsync(enrolling, cancellation);
        await using var joining = Join(token);
        await joining.WaitForLineAsync("waiting for the controller", cancellation);
        await using var other = Enroll(agent.Port);

        await other.WaitForLineAsync("waits for another token", cancellation);
        await joining.WaitForLineAsync("a controller came with another token", cancellation);

        var second = await JoinAsync(await TokenAsync(other, cancellation), cancellation);
        Assert.That(second.Errors, Does.Contain("another `decantd join` waits for its controller already"));
        await joining.SignalAsync("INT");
        await joining.WaitForExitAsync(cancellation);
        Assert.That(joining.Output, Does.Contain("given up; the token can be used again until it expires"));
        Assert.That(File.Exists(Path.Combine(agent.TlsDirectory, "host.pem")), Is.False);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Somebody_in_the_middle_is_found_out_and_nothing_is_signed(CancellationToken cancellation)
    {
        await using var middle = new TlsInTheMiddle(agent.Port);
        await using var enrolling = Enroll(middle.Port);
        await using var joining = Join(await TokenAsync(enrolling, cancellation));

        await enrolling.WaitForExitAsync(cancellation);

        Assert.That(enrolling.Output, Does.Contain("somebody, or a proxy that ends TLS, is between. Nothing was signed"));
        Assert.That(middle.Connections, Is.GreaterThan(0));
        Assert.That(Directory.EnumerateFiles(Path.Combine(identity, "ca", "issued")).Count(), Is.EqualTo(1), "the operator's own");
        Assert.That(File.Exists(Path.Combine(agent.TlsDirectory, "host.pem")), Is.False);
        Assert.That(joining.HasExited, Is.False);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task The_agent_refuses_a_controller_that_is_not_the_one(CancellationToken cancellation)
    {
        await using var enrolling = Enroll(await NobodyAsync());
        var text = await TokenAsync(enrolling, cancellation);
        Assert.That(JoinToken.TryParse(text, out var token, out _), Is.True);
        await using var joining = Join(text);
        await joining.WaitForLineAsync("waiting for the controller", cancellation);
        using var ca = X509Certificate2.CreateFromPemFile(Path.Combine(identity, "ca", "ca.pem"), Path.Combine(identity, "ca", "ca.key"));
        using var otherCa = new TestCa("another CA");
        using var otherKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var channel = agent.ConnectForEnrolment(out var seen);
        var client = new Enrolment.EnrolmentClient(channel);

        // Proofs of a secret that it does not know, of a certificate that another one showed, of other nonces.
        var stranger = JoinToken.Create("web1", token!.CaFingerprint.Span, token.ExpiresAt);
        var proofs = new[]
        {
            await CompleteAsync(token, stranger, ca, key => key, seen),
            await CompleteAsync(token, token, ca, key => key, () => RandomNumberGenerator.GetBytes(32)),
            await CompleteAsync(token, token, ca, key => key, seen, change: request => request.AgentNonce = ByteString.CopyFrom(new byte[32])),
            await CompleteAsync(token, token, ca, key => key, seen, change: request => request.Ca = otherCa.Pem),
        };
        var certificates = new[]
        {
            await CompleteAsync(token, token, otherCa.Certificate, key => key, seen),
            await CompleteAsync(token, token, ca, _ => new PublicKey(otherKey), seen),
            await CompleteAsync(token, token, ca, key => key, seen, from: ca.NotBefore, to: ca.NotBefore.AddMinutes(1)),
            await CompleteAsync(token, token, ca, key => key, seen, use: "1.3.6.1.5.5.7.3.2"),
        };
        var other = await AgentClient.ErrorAsync(async () => await new Hosts.HostsClient(channel).GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation));

        Assert.Multiple(() =>
        {
            Assert.That(proofs, Is.All.EqualTo("PROOF_WRONG"));
            Assert.That(certificates, Is.EqualTo(new[] { "CA_OF_ANOTHER_TOKEN", "CERTIFICATE_UNUSABLE", "CERTIFICATE_UNUSABLE", "CERTIFICATE_UNUSABLE" }));
            Assert.That(other.Reason, Is.EqualTo("ROLE_MISSING"), "the connection is for enrolment and nothing else");
            Assert.That(File.Exists(Path.Combine(agent.TlsDirectory, "host.pem")), Is.False);
            Assert.That(joining.HasExited, Is.False);
        });

        async Task<string> CompleteAsync(
            JoinToken known,
            JoinToken proven,
            X509Certificate2 issuer,
            Func<PublicKey, PublicKey> keyOf,
            Func<byte[]> certificateSeen,
            DateTimeOffset? from = null,
            DateTimeOffset? to = null,
            string use = TrustedChain.ServerUse,
            Action<CompleteEnrolmentRequest>? change = null)
        {
            var (nonce, id) = (RandomNumberGenerator.GetBytes(32), ByteString.CopyFrom(known.Id.Span));
            var begun = await client.BeginEnrolmentAsync(new BeginEnrolmentRequest { TokenId = id, ControllerNonce = ByteString.CopyFrom(nonce) }, cancellationToken: cancellation);
            var wanted = CertificateRequest.LoadSigningRequest(begun.Request.ToByteArray(), HashAlgorithmName.SHA256);
            var made = new CertificateRequest(new X500DistinguishedName("CN=web1"), keyOf(wanted.PublicKey), HashAlgorithmName.SHA256);
            made.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(use)], critical: false));
            using var certificate = made.Create(issuer, from ?? DateTimeOffset.UtcNow.AddMinutes(-5), to ?? DateTimeOffset.UtcNow.AddDays(1), [1, 2, 3]);
            var (pem, caPem) = (certificate.ExportCertificatePem(), issuer.ExportCertificatePem());
            var view = new EnrolmentView(certificateSeen(), nonce, begun.AgentNonce.ToByteArray(), begun.Request.ToByteArray());
            var request = new CompleteEnrolmentRequest
            {
                TokenId = id,
                ControllerNonce = ByteString.CopyFrom(nonce),
                AgentNonce = begun.AgentNonce,
                Certificate = pem,
                Ca = caPem,
                Proof = ByteString.CopyFrom(EnrolmentProof.OfController(proven, view, pem, caPem)),
            };
            change?.Invoke(request);
            return (await AgentClient.ErrorAsync(async () => await client.CompleteEnrolmentAsync(request, cancellationToken: cancellation))).Reason;
        }
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_host_is_enrolled_again_with_another_ca_and_believes_only_that_one_then(CancellationToken cancellation)
    {
        await EnrolledAsync(cancellation);
        var first = identity;
        identity = Path.Combine(agent.Directory, "other");
        var made = await DecantAsync(cancellation, "ca", "init", "--name", "the second CA");
        Assert.That(made.ExitCode, Is.Zero, made.Everything);

        await EnrolledAsync(cancellation);

        var (old, now) = (await HostsAsync(first, cancellation), await HostsAsync(identity, cancellation));
        Assert.That((old.ExitCode, now.ExitCode), Is.EqualTo((5, 0)), old.Everything + now.Everything);
        Assert.That(old.Errors, Does.Contain("it is of another CA (issuer CN=the second CA"));
    }

    private async Task EnrolledAsync(CancellationToken cancellation)
    {
        await using var enrolling = Enroll(agent.Port);
        var joined = await JoinAsync(await TokenAsync(enrolling, cancellation), cancellation);
        Assert.That(joined.ExitCode, Is.Zero, joined.Everything + enrolling.Output);
        await enrolling.WaitForExitAsync(cancellation);
    }

    private static async Task<string> TokenAsync(RunningProgram enrolling, CancellationToken cancellation)
        => Token().Match(await enrolling.WaitForLineAsync("sudo decantd join", cancellation)).Groups[1].Value;

    /// <summary>A port where nobody listens.</summary>
    private static Task<int> NobodyAsync() => Task.FromResult(1);

    private RunningProgram Enroll(int port) => RunningProgram.Start(Programs.Decant, Enrollment(port));

    private string[] Enrollment(int port, params string[] more) => ["host", "enroll", $"web1=127.0.0.1:{port}", "--identity", identity, .. more];

    private RunningProgram Join(string token) => RunningProgram.Start(Programs.Decantd, ["join", token, "--config", agent.ConfigurationFile]);

    private Task<CommandResult> JoinAsync(string token, CancellationToken cancellation)
        => CommandResult.RunAsync(Programs.Decantd, ["join", token, "--config", agent.ConfigurationFile], cancellation);

    private Task<CommandResult> DecantAsync(CancellationToken cancellation, params string[] arguments)
        => CommandResult.RunAsync(Programs.Decant, [.. arguments, "--identity", identity], cancellation);

    private async Task<CommandResult> HostsAsync(string who, CancellationToken cancellation)
    {
        var manifest = Path.Combine(agent.Directory, "decant.yml");
        await File.WriteAllTextAsync(manifest, $"app: demo\nhosts:\n  web1: {{ agent: \"127.0.0.1:{agent.Port}\", port: 4000 }}\n", cancellation);
        return await CommandResult.RunAsync(Programs.Decant, ["hosts", "--manifest", manifest, "--identity", who], cancellation);
    }

    private string NobodysConfiguration()
    {
        var file = Path.Combine(agent.Directory, "nobody.yml");
        File.WriteAllText(file, $"listen: {{ unix: {agent.Directory}/nobody.sock }}\n");
        return file;
    }

    [GeneratedRegex(@"decantd join (\S+)")]
    private static partial Regex Token();
}
