using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

public class AgentStartTests
{
    private LoneAgent agent = null!;

    [SetUp]
    public void Prepare() => agent = LoneAgent.Prepare();

    [TearDown]
    public async Task CleanUp() => await agent.DisposeAsync();

    [TestCase("", 0, "")]
    [TestCase("hots: x\nlisten: { tcp: 0.0.0.0:7420, tls: off }", 2, "agent.yml:1:1: unknown key \"hots\"; did you mean \"host\"?")]
    [TestCase("hots: x\nlisten: { tcp: 0.0.0.0:7420, tls: off }", 2, "agent.yml:2:11: listen.tcp: 0.0.0.0 is not loopback")]
    [TestCase("supervisor: docker", 2, "agent.yml:1:13: supervisor: \"docker\" is not a supervisor")]
    [TestCase("a: [", 2, "not valid YAML")]
    [CancelAfter(60_000)]
    public async Task Check_config_says_all_that_is_wrong_with_its_place_and_exits_with_2(
        string text, int exitCode, string expected, CancellationToken cancellation)
    {
        await File.WriteAllTextAsync(agent.Host.ConfigurationFile, text, cancellation);

        var result = await RunAsync(cancellation, "--check-config");

        Assert.That(result.ExitCode, Is.EqualTo(exitCode), result.Everything);
        Assert.That(result.Errors, Does.Contain(expected));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_configuration_that_is_not_there_or_no_file_is_an_error_that_says_so(CancellationToken cancellation)
    {
        var missing = await CommandResult.RunAsync(Programs.Decantd, ["--config", "/nowhere/agent.yml"], cancellation);
        var directory = await CommandResult.RunAsync(Programs.Decantd, ["--config", agent.Directory], cancellation);
        var wrong = await CommandResult.RunAsync(Programs.Decantd, ["--confg", "x"], cancellation);

        Assert.Multiple(() =>
        {
            Assert.That((missing.ExitCode, missing.Errors), Is.EqualTo((2, "decantd: /nowhere/agent.yml: no such file; write it (a commented example comes with the package) or name another with --config\n")));
            Assert.That(directory.ExitCode, Is.EqualTo(2));
            Assert.That(directory.Errors, Does.Contain("is a directory"));
            Assert.That(wrong.ExitCode, Is.EqualTo(2));
            Assert.That(wrong.Errors, Does.Contain("unknown argument \"--confg\"").And.Contain("usage:"));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_second_agent_on_the_same_data_is_refused_and_the_first_goes_on(CancellationToken cancellation)
    {
        await agent.Host.StartAgentAsync(cancellation);

        var same = await RunAsync(cancellation);
        var data = await RunWithAsync($"data_dir: {agent.Host.Data}\nlisten: {{ unix: {agent.Directory}/other.sock, tcp: off }}", cancellation);
        var socket = await RunWithAsync($"data_dir: {agent.Directory}/other\nlisten: {{ unix: {agent.Host.Directory}/decantd.sock, tcp: off }}", cancellation);
        var port = await RunWithAsync($"data_dir: {agent.Directory}/other\nlisten: {{ unix: off, tcp: 127.0.0.1:{agent.Host.AgentPort}, tls: off }}", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That((same.ExitCode, data.ExitCode, socket.ExitCode, port.ExitCode), Is.EqualTo((1, 1, 1, 1)));
            Assert.That(same.Errors, Does.Contain($"another agent uses {agent.Host.Data}"));
            Assert.That(data.Errors, Does.Contain($"another agent uses {agent.Host.Data}"));
            Assert.That(socket.Errors, Does.Contain("another process answers on"));
            Assert.That(port.Errors, Does.Contain("cannot listen").And.Contain($"{agent.Host.AgentPort}"));
            Assert.That(agent.Host.Agent.HasExited, Is.False);
        });
        await agent.Client.Hosts.GetStatusAsync(new V1.GetStatusRequest(), cancellationToken: cancellation);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_socket_that_a_killed_agent_left_is_taken_over_and_any_other_file_in_its_place_is_not(CancellationToken cancellation)
    {
        var socket = Path.Combine(agent.Host.Directory, "decantd.sock");
        await agent.Host.StartAgentAsync(cancellation);
        await agent.Host.KillAgentAsync();
        Assert.That(File.Exists(socket), Is.True);

        await agent.Host.StartAgentAsync(cancellation);
        await agent.Host.StopAgentAsync(cancellation);
        await File.WriteAllTextAsync(socket, "precious", cancellation);
        var refused = await RunAsync(cancellation);

        Assert.That(refused.ExitCode, Is.EqualTo(1));
        Assert.That(refused.Errors, Does.Contain("is not a socket"));
        Assert.That(await File.ReadAllTextAsync(socket, cancellation), Is.EqualTo("precious"));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task What_the_agent_keeps_is_for_its_user_alone(CancellationToken cancellation)
    {
        await agent.Host.StartAgentAsync(cancellation);
        await agent.StartReleaseAsync(cancellation);
        var (archive, release) = await agent.BuildAsync("1.1.0", cancellation);
        await agent.Client.UploadAsync("demo", release, archive, cancellation);

        var data = agent.Host.Data;
        const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
        const UnixFileMode AnyoneElse = Others | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute;
        const UnixFileMode SocketMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
        Assert.Multiple(() =>
        {
            Assert.That(File.GetUnixFileMode(data) & (Others | UnixFileMode.GroupWrite), Is.EqualTo(UnixFileMode.None), "data_dir");
            foreach (var name in (string[])["agent.db", "agent-log.db", "agent-log.sums", "uploads", "apps/demo", "apps/demo/main", "apps/demo/main/log"])
                Assert.That(File.GetUnixFileMode(Path.Combine(data, name)) & AnyoneElse, Is.EqualTo(UnixFileMode.None), name);
            Assert.That(File.GetUnixFileMode(Path.Combine(agent.Host.Directory, "decantd.sock")), Is.EqualTo(SocketMode));
        });
    }

    private Task<CommandResult> RunAsync(CancellationToken cancellation, params string[] arguments)
        => CommandResult.RunAsync(Programs.Decantd, ["--config", agent.Host.ConfigurationFile, .. arguments], cancellation);

    private async Task<CommandResult> RunWithAsync(string text, CancellationToken cancellation)
    {
        var file = Path.Combine(agent.Directory, "other.yml");
        await File.WriteAllTextAsync(file, text, cancellation);
        return await CommandResult.RunAsync(Programs.Decantd, ["--config", file], cancellation);
    }
}
