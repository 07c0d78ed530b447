using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Decant.Controller.State;

/// <summary>
/// An exclusive flock(2) on a file, between processes and between threads; gone when its holder dies. Not a named mutex: under
/// native AOT on Linux that is not seen by other processes (dotnet/runtime#110348).
/// </summary>
internal sealed partial class FileLock : IDisposable
{
    private const int Exclusive = 2;
    private const int NonBlocking = 4;
    private const int ReadWrite = 2;
    private const int Create = 0x40;
    private const int CloseOnExec = 0x80000;
    private const int Interrupted = 4;
    private const int WouldBlock = 11;

    private readonly SafeFileHandle file;

    private FileLock(SafeFileHandle file) => this.file = file;

    /// <summary>Waits for the lock. Meant for locks that are held for milliseconds.</summary>
    /// <exception cref="IOException">The file cannot be made or locked.</exception>
    public static FileLock Take(string path) => Lock(path, Exclusive)!;

    /// <summary>Takes the lock when it is free; null when somebody holds it.</summary>
    /// <exception cref="IOException">The file cannot be made or locked.</exception>
    public static FileLock? TryTake(string path) => Lock(path, Exclusive | NonBlocking);

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();

    private static FileLock? Lock(string path, int how)
    {
        var file = OpenFile(path, ReadWrite | Create | CloseOnExec, 0x180);
        if (file.IsInvalid) throw Failed(path, "opened", Marshal.GetLastPInvokeError());
        while (Flock(file, how) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error == Interrupted) continue;
            file.Dispose();
            return error == WouldBlock ? null : throw Failed(path, "locked", error);
        }

        return new FileLock(file);
    }

    private static IOException Failed(string path, string what, int error)
        => new($"{path} cannot be {what}: {Marshal.GetPInvokeErrorMessage(error)}");

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle OpenFile(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(SafeFileHandle file, int operation);
}
