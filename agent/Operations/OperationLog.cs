using System.Runtime.CompilerServices;

namespace Decant.Agent.Operations;

/// <summary>
/// The events of one operation, for any number of followers that come and go. Bounded: of a very long operation the oldest events in the
/// middle are dropped, which followers see as a gap in the sequence; the first and the last are always there.
/// </summary>
internal sealed class OperationLog
{
    private const int MaxEvents = 2000;

    /// <summary>Characters of all of them together; a line of output can have thousands.</summary>
    public const int MaxCharacters = 1 << 20;

    private readonly Lock gate = new();
    private readonly List<OperationEvent> events = [];
    private TaskCompletionSource changed = NewSignal();
    private long lastSequence;
    private long characters;
    private bool ended;

    /// <summary>An operation that has just begun.</summary>
    public OperationLog()
    {
    }

    /// <summary>One that ended before; nothing will be added.</summary>
    public OperationLog(IEnumerable<OperationEvent> recorded)
    {
        events.AddRange(recorded);
        lastSequence = events.Count == 0 ? 0 : events[^1].Sequence;
        ended = true;
    }

    /// <summary>Adds an event; ignored after the end.</summary>
    /// <param name="make">Gets the event's sequence number.</param>
    /// <param name="last">Nothing follows it.</param>
    public void Add(Func<long, OperationEvent> make, bool last = false)
    {
        TaskCompletionSource wake;
        lock (gate)
        {
            if (ended) return;
            events.Add(make(++lastSequence));
            characters += SizeOf(events[^1]);
            if (events.Count > MaxEvents) Drop(MaxEvents / 4);
            while (characters > MaxCharacters && events.Count > 4) Drop(events.Count / 4);
            ended = last;
            wake = changed;
            changed = NewSignal();
        }

        wake.TrySetResult();
    }

    /// <summary>The newest events, at most <paramref name="count"/>, oldest first.</summary>
    public IReadOnlyList<OperationEvent> Newest(int count)
    {
        lock (gate) return events.Count <= count ? [.. events] : [events[0], .. events[^(count - 1)..]];
    }

    /// <summary>All events behind a sequence number, then those to come; ends with the last one.</summary>
    public async IAsyncEnumerable<OperationEvent> FollowAsync(long after, [EnumeratorCancellation] CancellationToken cancellation)
    {
        while (true)
        {
            List<OperationEvent> fresh;
            Task wait;
            bool done;
            lock (gate)
            {
                fresh = [.. events.Where(e => e.Sequence > after)];
                wait = changed.Task;
                done = ended;
            }

            foreach (var item in fresh)
            {
                yield return item;
                after = item.Sequence;
            }

            if (done) yield break;
            if (fresh.Count == 0) await wait.WaitAsync(cancellation);
        }
    }

    private void Drop(int count)
    {
        foreach (var dropped in events.Skip(1).Take(count)) characters -= SizeOf(dropped);
        events.RemoveRange(1, count);
    }

    private static int SizeOf(OperationEvent item) => item switch
    {
        MessageReported message => message.Text.Length,
        OutputReported output => output.Line.Text.Length,
        _ => 0,
    };

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
