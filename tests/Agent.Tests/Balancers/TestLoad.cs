using System.Collections.Concurrent;

namespace Decant.Agent.Tests.Balancers;

/// <summary>A few clients that ask a frontend one request after the other, and keep account of what they get.</summary>
internal sealed class TestLoad : IAsyncDisposable
{
    private readonly CancellationTokenSource stop = new();
    private readonly Task clients;

    public TestLoad(IRealBalancer balancer)
        => clients = Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    Answers.Enqueue(await balancer.GetAsync("/"));
                }
                catch (HttpRequestException exception)
                {
                    Failures.Enqueue(exception.ToString());
                }
            }
        })));

    /// <summary>Names of the members that answered.</summary>
    public ConcurrentQueue<string> Answers { get; } = [];

    public ConcurrentQueue<string> Failures { get; } = [];

    /// <summary>Returns when so many more answers have come.</summary>
    public Task MoreAsync(int answers)
    {
        var wanted = Answers.Count + answers;
        return Eventually.TrueAsync(() => Answers.Count >= wanted || !Failures.IsEmpty, $"{answers} more answers");
    }

    /// <summary>Ends the clients; each still gets its answer.</summary>
    public async Task StopAsync()
    {
        await stop.CancelAsync();
        await clients;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        stop.Dispose();
    }
}
