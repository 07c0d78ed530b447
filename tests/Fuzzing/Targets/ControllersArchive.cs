using System.IO.Compression;
using Decant.Controller.Fleet;
using Decant.Errors;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>The archive that an operator names: what release it is, or what it lacks.</summary>
internal sealed class ControllersArchive : FuzzTarget
{
    private Room room = null!;
    private string path = "";

    public override IEnumerable<byte[]> Seeds => Tar.Seeds;

    public override IReadOnlyList<byte[]> Words => Tar.Words;

    public override long MayAllocate(int length) => (4 << 20) + (300L * length);

    public override byte[] Mutate(byte[] input, Mutation mutation) => Tar.Mutate(input, mutation, Largest);

    public override byte[] Repair(byte[] input) => Tar.Repair(input);

    public override void Open()
    {
        room = new Room();
        path = room["release.tar.gz"];
    }

    public override void Close() => room.Dispose();

    public override string Run(byte[] input)
    {
        using (var gzip = new GZipStream(File.Create(path), CompressionLevel.Fastest)) gzip.Write(input);
        try
        {
            var archive = ArchiveFile.ReadAsync(path, CancellationToken.None).GetAwaiter().GetResult();
            Promise(archive.Name.Length > 0 && archive.ErtsVersion.Length > 0 && archive.Size == new FileInfo(path).Length, "it is told wrongly");
            Readable($"{archive.Name} {archive.ErtsVersion}", 400);
            return "a release";
        }
        catch (OperatorException refused)
        {
            Promise(refused.Error.Reason is "ARCHIVE_CORRUPT" or "NOT_A_RELEASE" or "ARCHIVE_TOO_LARGE", $"refused with {refused.Error.Reason}");
            Readable(refused.Error.Message);
            return refused.Error.Message.Replace(path, "", StringComparison.Ordinal);
        }
    }
}
