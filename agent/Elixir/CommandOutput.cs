using System.Text;
using Decant.Agent.Operations;

namespace Decant.Agent.Elixir;

/// <summary>Reads what a command prints, line by line, and keeps the last ones.</summary>
/// <param name="line">Told each line as it comes, from one thread at a time.</param>
internal sealed class CommandOutput(Action<OutputLine>? line)
{
    /// <summary>How many of the last lines are kept.</summary>
    public const int TailLines = 50;

    // Longer lines are broken: fifty of them go into one event, which a gRPC client takes up to 4 MiB.
    private const int MaxLine = 8 * 1024;

    private readonly Queue<OutputLine> tail = new();
    private readonly Lock gate = new();

    /// <summary>Its last lines so far.</summary>
    public IReadOnlyList<OutputLine> Tail()
    {
        lock (gate) return [.. tail];
    }

    /// <summary>Reads one stream to its end.</summary>
    /// <param name="reader">The stream.</param>
    /// <param name="isError">It is standard error.</param>
    /// <param name="cancellation">Ends it earlier.</param>
    public async Task ReadAsync(TextReader reader, bool isError, CancellationToken cancellation)
    {
        var buffer = new char[4096];
        var text = new StringBuilder();
        try
        {
            int count;
            while ((count = await reader.ReadAsync(buffer, cancellation)) > 0)
            {
                foreach (var c in buffer.AsSpan(0, count))
                {
                    if (c != '\n')
                    {
                        text.Append(c);
                        if (text.Length < MaxLine) continue;
                    }

                    Take(new OutputLine(text.ToString().TrimEnd('\r'), isError));
                    text.Clear();
                }
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // The command has ended; what a grandchild would still print is not ours.
        }

        if (text.Length > 0) Take(new OutputLine(text.ToString(), isError));
    }

    private void Take(OutputLine taken)
    {
        lock (gate)
        {
            tail.Enqueue(taken);
            if (tail.Count > TailLines) tail.Dequeue();
            line?.Invoke(taken);
        }
    }
}
