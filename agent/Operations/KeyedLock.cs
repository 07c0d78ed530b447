namespace Decant.Agent.Operations;

/// <summary>One holder for each key at a time; keys that nobody holds or waits for cost nothing.</summary>
internal sealed class KeyedLock
{
    private readonly Dictionary<string, Entry> entries = [];

    /// <summary>Whether somebody holds the key now.</summary>
    public bool IsHeld(string key)
    {
        lock (entries) return entries.ContainsKey(key);
    }

    /// <summary>Waits for the key; dispose the result to give it back.</summary>
    public async Task<IDisposable> AcquireAsync(string key, CancellationToken cancellation)
    {
        Entry entry;
        lock (entries)
        {
            if (!entries.TryGetValue(key, out entry!)) entries[key] = entry = new Entry();
            entry.Users++;
        }

        try
        {
            await entry.Turn.WaitAsync(cancellation);
        }
        catch
        {
            Leave(key, entry);
            throw;
        }

        return new Holder(this, key, entry);
    }

    private void Leave(string key, Entry entry)
    {
        lock (entries)
        {
            if (--entry.Users > 0) return;
            entries.Remove(key);
            entry.Turn.Dispose();
        }
    }

    private sealed class Entry
    {
        public SemaphoreSlim Turn { get; } = new(1, 1);

        public int Users { get; set; }
    }

    private sealed class Holder(KeyedLock owner, string key, Entry entry) : IDisposable
    {
        private int disposed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref disposed, 1) != 0) return;
            entry.Turn.Release();
            owner.Leave(key, entry);
        }
    }
}
