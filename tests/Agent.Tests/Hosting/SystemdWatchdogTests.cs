using Decant.Agent.Hosting;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Decant.Agent.Tests.Hosting;

internal sealed class SystemdWatchdogTests
{
    private static readonly TimeSpan Half = TimeSpan.FromSeconds(15);

    [Test]
    [CancelAfter(30_000)]
    public async Task Systemd_hears_of_the_agent_only_when_it_has_answered_itself_in_time(CancellationToken cancellation)
    {
        var time = new FakeTimeProvider();
        var systemd = new RecordedSystemd();
        Func<CancellationToken, Task> answer = _ => Task.CompletedTask;
        var asked = new SemaphoreSlim(0);
        using var watchdog = new SystemdWatchdog(
            systemd,
            token =>
            {
                asked.Release();
                return answer(token);
            },
            time,
            NullLogger<SystemdWatchdog>.Instance)
        {
            Period = Half * 2,
        };
        await watchdog.StartAsync(cancellation);

        await NextAsync();
        await systemd.Heard.WaitAsync(cancellation);

        // A call that hangs, whether it heeds its limit or not, and one that fails.
        answer = token => Task.Delay(Timeout.Infinite, token);
        await NextAsync();
        answer = _ => new TaskCompletionSource().Task;
        await NextAsync();
        answer = _ => Task.FromException(new HttpRequestException("connection refused"));
        await NextAsync();
        Assert.That(systemd.Heard.CurrentCount, Is.Zero);

        answer = _ => Task.CompletedTask;
        await NextAsync();
        await systemd.Heard.WaitAsync(cancellation);
        await watchdog.StopAsync(cancellation);
        Assert.That(systemd.States, Is.All.EqualTo("WATCHDOG=1"));

        async Task NextAsync()
        {
            // One tick, and the limit of the call before it.
            do time.Advance(Half);
            while (!await asked.WaitAsync(50, cancellation));
        }
    }

    [TestCase("30000000", "", 30)]
    [TestCase("30000000", "4711", 30)]
    [TestCase("30000000", "1", null)]
    [TestCase("0", "", null)]
    [TestCase("soon", "", null)]
    [TestCase("-5", "", null)]
    [TestCase(null, null, null)]
    public void The_interval_is_what_systemd_asks_of_this_process(string? usec, string? pid, int? seconds)
        => Assert.That(SystemdWatchdog.Interval(usec, pid, 4711), Is.EqualTo(seconds is { } s ? TimeSpan.FromSeconds(s) : (TimeSpan?)null));

    private sealed class RecordedSystemd : ISystemdNotifier
    {
        private readonly List<string> states = [];

        public SemaphoreSlim Heard { get; } = new(0);

        public bool IsEnabled => true;

        public IReadOnlyList<string> States
        {
            get
            {
                lock (states) return [.. states];
            }
        }

        public void Notify(ServiceState state)
        {
            lock (states) states.Add(state.ToString());
            Heard.Release();
        }
    }
}
