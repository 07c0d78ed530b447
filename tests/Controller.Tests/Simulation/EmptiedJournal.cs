using System.Collections.Concurrent;
using Decant.Controller.State;

namespace Decant.Controller.Tests.Simulation;

/// <summary>
/// A journal in memory that is emptied and used by one schedule after the other: LiteDB allocates megabytes for every new database, and that would cost
/// more than all that a schedule does with it. Not for ever: what it has in memory only grows.
/// </summary>
internal sealed class EmptiedJournal
{
    private const int MostSchedules = 100;

    private static readonly ConcurrentBag<EmptiedJournal> Idle = [];

    private Action? beforeUse;
    private int schedules;

    private EmptiedJournal() => Database = JournalDatabase.InMemory(() => beforeUse?.Invoke());

    public JournalDatabase Database { get; }

    /// <summary>One that nobody uses.</summary>
    /// <param name="beforeUse">Called before each use.</param>
    public static EmptiedJournal Take(Action beforeUse)
    {
        if (!Idle.TryTake(out var journal)) journal = new EmptiedJournal();
        journal.beforeUse = beforeUse;
        return journal;
    }

    public void GiveBack()
    {
        beforeUse = null;
        if (++schedules == MostSchedules)
        {
            Database.Dispose();
            return;
        }

        Database.Use(database =>
        {
            foreach (var name in database.GetCollectionNames().ToList()) database.GetCollection(name).DeleteAll();
            return true;
        });
        Idle.Add(this);
    }
}
