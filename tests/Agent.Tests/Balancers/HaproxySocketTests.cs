using System.Net.Sockets;
using System.Text;
using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Tests.Balancers;

/// <summary>Sockets on which no HAProxy answers.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class HaproxySocketTests
{
    private readonly TemporaryDirectory directory = new();
    private readonly HaproxyTimings timings = new() { Connect = TimeSpan.FromMilliseconds(300), Answer = TimeSpan.FromMilliseconds(300) };

    private string Path => directory["s.sock"];

    [TearDown]
    public void RemoveDirectory() => directory.Dispose();

    [Test]
    public async Task A_socket_that_is_not_there_is_an_error_with_the_line_for_haproxy_cfg()
    {
        var error = await ErrorAsync();

        Assert.That(error.Message, Does.Contain($"{Path} is not there"));
        Assert.That(error.WhatNext, Does.Contain($"`stats socket {Path} mode 660 level admin`"));
    }

    [Test]
    public async Task A_socket_that_nobody_listens_on_says_that_HAProxy_is_down()
    {
        using (var left = Listen())
        {
            // Closed without being removed, as a killed process leaves it: rename keeps .NET from unlinking it.
            File.Move(Path, Path + ".kept");
        }

        File.Move(Path + ".kept", Path);
        Assert.That((await ErrorAsync()).Message, Does.Contain("nobody listens"));
    }

    [Test]
    public async Task A_socket_that_never_answers_is_given_up()
    {
        using var listener = Listen();

        Assert.That((await ErrorAsync()).Message, Does.Contain("did not answer \"prompt\" within 0.3 s"));
    }

    [Test]
    public async Task A_socket_that_takes_no_connection_is_given_up()
    {
        using var listener = Listen(backlog: 0);
        using var first = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await first.ConnectAsync(new UnixDomainSocketEndPoint(Path));

        var error = await ErrorAsync();

        Assert.That(error.Reason, Is.EqualTo("BALANCER_UNREACHABLE"));
    }

    [TestCase("\n> ", "it does not answer \"show info\" as HAProxy does: \"(nothing)\"")]
    [TestCase("220 mail.example ESMTP\n> ", "it does not answer \"show info\" as HAProxy does: \"220 mail.example ESMTP\"")]
    [TestCase("Version: 1\nPid: 1\n\n> ", "it does not answer \"show stat\" as HAProxy does: \"Version: 1\"")]
    public async Task A_socket_of_another_program_is_an_error_that_shows_what_it_said(string answer, string expected)
    {
        using var listener = Listen();
        var serving = ServeAsync(listener, _ => Encoding.ASCII.GetBytes(answer));

        Assert.That((await ErrorAsync()).Message, Does.Contain(expected));
        await serving;
    }

    [Test]
    public async Task An_answer_without_end_is_not_read_for_ever()
    {
        using var listener = Listen();
        var piece = new byte[1 << 20];
        var serving = ServeAsync(listener, line => line.StartsWith("prompt", StringComparison.Ordinal) ? "\n> "u8.ToArray() : piece, repeat: 20);

        var error = await ErrorAsync(new HaproxyTimings());

        Assert.That(error.Message, Does.Contain("longer than 16 MiB"));
        await serving;
    }

    [Test]
    public async Task A_connection_that_is_closed_in_the_middle_of_an_answer_is_an_error()
    {
        using var listener = Listen();
        var serving = ServeAsync(listener, line => line.StartsWith("prompt", StringComparison.Ordinal) ? "\n> "u8.ToArray() : "Name: HAPr"u8.ToArray(), requests: 2);

        Assert.That((await ErrorAsync()).Message, Does.Contain("closed the connection").Or.Contain("connection broke"));
        await serving;
    }

    private Socket Listen(int backlog = 10)
    {
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(Path));
        listener.Listen(backlog);
        return listener;
    }

    private static async Task ServeAsync(Socket listener, Func<string, byte[]> answer, int repeat = 1, int requests = int.MaxValue)
    {
        using var connection = await listener.AcceptAsync();
        var buffer = new byte[4096];
        try
        {
            for (var n = 0; n < requests; n++)
            {
                var read = await connection.ReceiveAsync(buffer);
                if (read == 0) return;
                var reply = answer(Encoding.ASCII.GetString(buffer, 0, read));
                for (var i = 0; i < (reply.Length > 100_000 ? repeat : 1); i++) await connection.SendAsync(reply);
            }
        }
        catch (SocketException)
        {
            // The client has seen enough.
        }
    }

    private async Task<OperatorError> ErrorAsync(HaproxyTimings? other = null)
    {
        using var balancer = new HaproxyBalancer(
            BalancerName.Parse("edge"), new BalancerSettings.Haproxy(Path, MemberManagement.Fixed, ""), other ?? timings, TimeProvider.System);
        var read = balancer.ReadBackendAsync(MemberName.Parse("shop"), default);
        var exception = await Assert.ThrowsAsync<OperatorException>(async () => await read.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.That(exception!.Error.Reason, Is.EqualTo("BALANCER_UNREACHABLE"));
        return exception.Error;
    }
}
