using System.Buffers.Binary;
using Decant.Agent.State;
using Decant.Fuzzing.Engine;
using LiteDB;

namespace Decant.Fuzzing.Targets;

/// <summary>
/// The agent's database, as a crash left it, with damage: six bytes of the input each are one (which file, where, how, what). Opened and read, it
/// gives what was written, or says that it is damaged. Never another document, an exception of another kind, or no answer.
/// </summary>
internal sealed class DatabaseFiles : FuzzTarget
{
    private const int Size = 6;
    private const int Page = PageSums.PageSize;
    private const int Checkpointed = 12;

    private Room room = null!;
    private byte[][] sound = [];
    private DatabasePaths paths = null!;
    private string[] written = [];

    public override TimeSpan Deadline => TimeSpan.FromSeconds(5);

    public override int Largest => 20 * Size;

    public override IEnumerable<byte[]> Seeds => [[], [0, 0, 0, 32, 0, 1], [1, 0, 0, 9, 0, 77], [2, 0, 0, 0, 0, 3], [0, 0, 64, 0, 1, 0], [1, 0, 0, 0, 3, 0], [2, 0, 32, 0, 2, 0], [0, 0, 0, 76, 0, 9]];

    // LiteDB makes a cache of pages each time.
    public override long MayAllocate(int length) => 64 << 20;

    public override void Open()
    {
        room = new Room();
        paths = new DatabasePaths(room["agent.db"]);
        var path = new DatabasePaths(room["made/agent.db"]);
        using (var database = AgentDatabase.Open(path.Database))
        {
            var documents = database.Collection("operations");
            documents.EnsureIndex("state");
            for (var n = 0; n < Checkpointed; n++) documents.Upsert(Document(n));
            // In the log only: the checkpoint did not come any more.
            database.Use(d => d.GetCollection("operations").Upsert(Document(12)));
            database.Use(d => d.GetCollection("operations").Upsert(Document(13)));
            var deadline = Environment.TickCount64 + 10_000;
            while (new FileInfo(path.Log).Length < 2 * Page && Environment.TickCount64 < deadline) Thread.Yield();
            written = [.. documents.FindAll().Select(d => d.ToString()).Order(StringComparer.Ordinal)];
            sound = [Read(path.Database), Read(path.Log), Read(path.Sums), Read(path.LogSums)];
        }

        Promise(sound[1].Length > 0, "the log is empty: nothing of it would be tried");
    }

    public override void Close() => room.Dispose();

    public override byte[] Mutate(byte[] input, Mutation mutation)
    {
        var random = mutation.Random;
        var damage = input.Chunk(Size).Where(d => d.Length == Size).ToList();
        if (damage.Count > 0 && mutation.Once(3)) damage.RemoveAt(random.Next(damage.Count));
        for (var more = 1 + mutation.Few(); more > 0 && damage.Count < 20; more--)
        {
            var file = random.Next(4);
            // In a page's head, where its structure is, or anywhere.
            var at = mutation.Once(2) ? (random.Next(1 + (sound[file].Length / Page)) * Page) + random.Next(96) : random.Next(1 + sound[file].Length);
            damage.Add([(byte)file, (byte)(at >> 16), (byte)(at >> 8), (byte)at, (byte)(mutation.Once(3) ? random.Next(6) : 0), (byte)(mutation.Once(2) ? mutation.Pick([0, 1, 255, 127, 128]) : random.Next(256))]);
        }

        return [.. damage.SelectMany(d => d)];
    }

    public override string Run(byte[] input)
    {
        foreach (var file in Directory.EnumerateFiles(room.Root)) File.Delete(file);
        var files = sound.Select(f => f.ToArray()).ToArray();
        foreach (var damage in input.Chunk(Size).Where(d => d.Length == Size)) Damage(files, damage);
        // No sums at all is the log of an earlier version, of which nothing is promised.
        if (files[3].Length == 0) files[3] = sound[3][..1];
        // Whoever deletes the database and its sums has a new one.
        if (files[0].Length == 0 && files[2].Length == 0) files[2] = sound[2];
        foreach (var (path, content) in new[] { paths.Database, paths.Log, paths.Sums, paths.LogSums }.Zip(files))
        {
            if (content.Length > 0) File.WriteAllBytes(path, content);
        }

        using var database = AgentDatabase.Open(paths.Database);
        if (database.Fault is { } fault) return $"{fault.Kind} {fault.Reason[^Math.Min(20, fault.Reason.Length)..]}";
        var documents = database.Collection("operations");
        var all = documents.FindAll();
        var known = documents.FindEqual("state", "running").Count + documents.FindEqual("state", "done").Count;
        var one = documents.FindById("op-3");
        documents.Upsert(Document(99));
        if (database.Fault is not null) return "found damaged while it was read";
        // What only the log has may be lost with it; what was checkpointed may not be other than it was.
        Promise(all.All(d => written.Contains(d.ToString())), "a document is another one than was written");
        Promise(all.Count >= Checkpointed, "documents are gone");
        Promise(known == all.Count, "the index finds others than are there");
        Promise(one is null || one.ToString() == Document(3).ToString(), "a document is found by another's id");
        return $"sound {all.Count}";
    }

    private static void Damage(byte[][] files, byte[] damage)
    {
        var file = damage[0] % 4;
        var content = files[file];
        var at = Math.Min((damage[1] << 16) | BinaryPrimitives.ReadUInt16BigEndian(damage.AsSpan(2)), content.Length);
        switch (damage[4] % 6)
        {
            case 0 when at < content.Length:
                content[at] = damage[5];
                break;
            case 1:
                files[file] = content[..at];
                break;
            case 2:
                content.AsSpan(at / Page * Page, Math.Min(Page, content.Length - (at / Page * Page))).Clear();
                break;
            case 3:
                files[file] = [];
                break;
            case 4:
                // One page over another.
                var from = damage[5] * Page;
                if (from + Page <= content.Length && (at / Page * Page) + Page <= content.Length) content.AsSpan(from, Page).CopyTo(content.AsSpan(at / Page * Page));
                break;
            case 5:
                files[file] = [.. content, .. Enumerable.Repeat(damage[5], Page)];
                break;
        }
    }

    private static BsonDocument Document(int n) => new() { ["_id"] = $"op-{n}", ["state"] = n % 3 == 0 ? "running" : "done", ["text"] = new string((char)('a' + (n % 26)), 200) };

    private static byte[] Read(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var content = new byte[file.Length];
        file.ReadExactly(content);
        return content;
    }
}
