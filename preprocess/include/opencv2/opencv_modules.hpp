// Takes the place of OpenCV's file of the same name (this folder comes first
// on the include path): opencv2/opencv.hpp, which gocv's headers include, then
// pulls in the three modules that edgelens uses and not all of OpenCV, so that
// three small -dev packages are enough to compile instead of libopencv-dev.
#define HAVE_OPENCV_CORE
#define HAVE_OPENCV_IMGCODECS
#define HAVE_OPENCV_IMGPROC
