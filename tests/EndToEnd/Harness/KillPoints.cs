using System.Buffers.Binary;

namespace Decant.EndToEnd.Harness;

/// <summary>
/// The points right before and right after each journal write of one program, which the unchanged program comes by (kill_points.c counts them
/// from inside of it), and its death at one of them.
/// </summary>
internal sealed class KillPoints
{
    // The layout of kill_points.c.
    private const int Chosen = 4;
    private const int Killed = 8;
    private const int Header = 16;
    private const int PointSize = 16;
    private const int Most = 4096;

    private readonly string file;

    /// <summary>Of a program that is started with <see cref="Variables"/> from now on.</summary>
    /// <param name="name">What it is called in reports.</param>
    /// <param name="library">What <see cref="CompileAsync"/> made.</param>
    /// <param name="journal">Its LiteDB file.</param>
    public KillPoints(string name, string library, string journal)
    {
        Name = name;
        file = $"{library}.{name}";
        File.WriteAllBytes(file, new byte[Header + (Most * PointSize)]);
        Variables = new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = library,
            ["KILL_POINTS_FILE"] = file,
            ["KILL_POINTS_LOG"] = Path.Combine(
                Path.GetDirectoryName(journal)!, $"{Path.GetFileNameWithoutExtension(journal)}-log{Path.GetExtension(journal)}"),
        };
    }

    public string Name { get; }

    /// <summary>What the program's environment needs.</summary>
    public IReadOnlyDictionary<string, string> Variables { get; }

    /// <summary>How many it came by since <see cref="Choose"/>.</summary>
    public int Passed => Read(0);

    /// <summary>The number of the one that it died at; 0: it did not.</summary>
    public int Death => Read(Killed);

    /// <summary>Compiles kill_points.c.</summary>
    public static async Task<string> CompileAsync(string directory, CancellationToken cancellation)
    {
        var library = Path.Combine(directory, "kill_points.so");
        var source = Path.Combine(Programs.Repository, "tests", "EndToEnd", "kill_points.c");
        var compiled = await CommandResult.RunAsync("clang", ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", library, source], cancellation);
        return compiled.ExitCode == 0 ? library : throw new TestException(compiled.Everything);
    }

    /// <summary>Counts from 0 again, and lets the program die at a point.</summary>
    /// <param name="number">From 1; 0: at none.</param>
    public void Choose(int number)
    {
        Span<byte> header = stackalloc byte[Header];
        header.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(header[Chosen..], number);
        using var shared = File.OpenHandle(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        RandomAccess.Write(shared, header, 0);
    }

    /// <summary>When it came by a point, and whether that is after a write.</summary>
    public (DateTimeOffset At, bool IsAfter) Point(int number)
    {
        Span<byte> point = stackalloc byte[PointSize];
        using var shared = File.OpenHandle(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        RandomAccess.Read(shared, point, Header + ((number - 1) * PointSize));
        return (
            DateTimeOffset.UnixEpoch.AddTicks(BinaryPrimitives.ReadInt64LittleEndian(point) / TimeSpan.NanosecondsPerTick),
            BinaryPrimitives.ReadInt64LittleEndian(point[sizeof(long)..]) != 0);
    }

    private int Read(int offset)
    {
        Span<byte> number = stackalloc byte[sizeof(int)];
        using var shared = File.OpenHandle(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        RandomAccess.Read(shared, number, offset);
        return BinaryPrimitives.ReadInt32LittleEndian(number);
    }
}
