using System.Buffers.Binary;

namespace Decant.Fuzzing.Engine;

/// <summary>
/// The input that runs just now, in a file: an endless recursion ends the process, and what is left of it is this. The next run of the target
/// finds it and fails.
/// </summary>
internal sealed class RunningInput : IDisposable
{
    private readonly FileStream file;
    private byte[] buffer = new byte[1 << 16];

    /// <summary>Opens the file.</summary>
    public RunningInput(string directory, string target)
    {
        Directory.CreateDirectory(directory);
        Path = System.IO.Path.Combine(directory, $"{target}.running");
        if (File.Exists(Path))
        {
            var left = File.ReadAllBytes(Path);
            var kept = System.IO.Path.Combine(directory, $"{target}-ended-the-process");
            File.WriteAllBytes(kept, left.Length < sizeof(int) ? [] : left[sizeof(int)..Math.Min(left.Length, sizeof(int) + BinaryPrimitives.ReadInt32LittleEndian(left))]);
            File.Delete(Path);
            throw new BrokenPromiseException($"the last run of {target} ended in the middle of an input, which is kept in {kept}: try it with DECANT_FUZZ_INPUT={kept}");
        }

        file = new FileStream(Path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>An input begins.</summary>
    public void Begin(byte[] input)
    {
        if (buffer.Length < input.Length + sizeof(int)) buffer = new byte[input.Length + sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(buffer, input.Length);
        input.CopyTo(buffer, sizeof(int));
        RandomAccess.Write(file.SafeFileHandle, buffer.AsSpan(0, sizeof(int) + input.Length), 0);
    }

    /// <summary>All of them have ended.</summary>
    public void Ended() => File.Delete(Path);

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();
}
