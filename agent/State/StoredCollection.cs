using LiteDB;

namespace Decant.Agent.State;

/// <summary>
/// The documents of one kind. What was written is on the disk when the method returns: LiteDB 5 itself writes its log from a background
/// queue, after its call has returned, and only a checkpoint waits for that. Every method throws <see cref="IOException"/> when the disk is
/// full or fails.
/// </summary>
internal sealed class StoredCollection(AgentDatabase database, string name)
{
    /// <summary>Makes an index, if it is not there.</summary>
    public void EnsureIndex(string field) => Use(c => c.EnsureIndex(field));

    /// <summary>Writes a document, over the one with its <c>_id</c> if there is one.</summary>
    public void Upsert(BsonDocument document) => Write(c => c.Upsert(document));

    /// <summary>One document; null when there is none.</summary>
    public BsonDocument? FindById(string id) => Use(c => c.FindById(id));

    /// <summary>Documents whose field has a value.</summary>
    public IReadOnlyList<BsonDocument> FindEqual(string field, string value) => Use(c => c.Find(Query.EQ(field, value)).ToList());

    /// <summary>Every document.</summary>
    public IReadOnlyList<BsonDocument> FindAll() => Use(c => c.FindAll().ToList());

    /// <summary>The first documents by an indexed field that pass; no more are read than that takes.</summary>
    /// <param name="field">With an index.</param>
    /// <param name="prefix">Only those whose field begins with this; null: all.</param>
    /// <param name="descending">The last ones first.</param>
    /// <param name="passes">Looked at before the limit.</param>
    /// <param name="limit">At most this many.</param>
    public IReadOnlyList<BsonDocument> FindFirst(string field, string? prefix, bool descending, Func<BsonDocument, bool> passes, int limit)
        => Use(c =>
        {
            var query = c.Query();
            // '\uffff' is behind every character that a name may have.
            if (prefix is not null) query = query.Where(Query.Between(field, prefix, prefix + '\uffff'));
            query = descending ? query.OrderByDescending(field) : query.OrderBy(field);
            return query.ToEnumerable().Where(passes).Take(limit).ToList();
        });

    /// <summary>How many there are.</summary>
    public int Count() => Use(c => c.Count());

    /// <summary>Deletes documents in one transaction.</summary>
    public void Delete(IReadOnlyCollection<string> ids) => Write(c => c.DeleteMany(Query.In("_id", ids.Select(id => new BsonValue(id)))));

    private void Write<T>(Func<ILiteCollection<BsonDocument>, T> work) => database.Use(d =>
    {
        work(d.GetCollection(name));
        d.Checkpoint();
        return true;
    });

    private T Use<T>(Func<ILiteCollection<BsonDocument>, T> work) => database.Use(d => work(d.GetCollection(name)));
}
