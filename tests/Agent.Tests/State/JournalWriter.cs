using System.Globalization;
using Decant.Agent.Operations;
using Decant.Agent.State;
using Decant.Names;

namespace Decant.Agent.Tests.State;

/// <summary>
/// The test assembly as a program of its own, to be killed: it journals one operation after the other, and prints the number of each as soon as
/// the journal has said that its end is written, which is when an agent would answer its caller.
/// </summary>
internal static class JournalWriter
{
    /// <summary>How many ended operations its journal keeps: few, so that pruning is among what is killed.</summary>
    public const int Keep = 200;

    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Its arguments: the database, and the number to begin with.</summary>
    public static int Main(string[] arguments)
    {
        if (arguments is not [var path, var first]) return 2;
        using var database = AgentDatabase.Open(path);
        if (database.Fault is { } fault)
        {
            Console.Error.WriteLine(fault.Reason);
            return 1;
        }

        var journal = new OperationJournal(database, Keep);
        using var output = Console.OpenStandardOutput();
        for (var number = int.Parse(first, CultureInfo.InvariantCulture); ; number++)
        {
            journal.Begin(Record(number) with { State = OperationState.Running, EndedAt = null, Result = null });
            if (journal.End(Record(number), [new MessageReported(2, Start, new string('x', number % 7 * 1500))]) is { } problem) throw problem;
            output.Write(System.Text.Encoding.ASCII.GetBytes($"{number}\n"));
        }
    }

    /// <summary>An operation as it is journaled at its end.</summary>
    public static OperationRecord Record(int number) => new(
        OperationId.Parse($"op-{number}"),
        DeploymentId.Parse($"d{number / 10}"),
        OperationKind.Evaluate,
        new OperationSubject(AppName.Parse("shop")),
        $"fingerprint {number}",
        Start.AddSeconds(number),
        OperationState.Succeeded,
        Start.AddSeconds(number + 1),
        Result: new Evaluated(number));
}
